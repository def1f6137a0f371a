//! The calls about one car. The older generations name it by an id of their own, which may change;
//! where Tesla does not find it by that, its VIN is tried.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use tracing::warn;

use super::request::{SCOPE_OF_DATA, SCOPE_OF_LOCATION};
use super::{Account, Called};
use crate::api::error::ApiError;
use crate::clock;
use crate::config::Api;
use crate::decode;
use crate::decode::products::{self, ListedVehicle};
use crate::decode::vehicle_data::{self, LOCATION, VehicleData};
use crate::failure::ApiFailure;
use crate::model::{ApiId, Vin};

/// The names by which the API knows a car.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarRef {
    /// For the Fleet API.
    pub vin: Vin,
    /// For the Owner API, from the newest list.
    pub id: Option<ApiId>,
}

impl CarRef {
    /// The names on the newest list.
    pub fn of(listed: &ListedVehicle) -> Self {
        Self {
            vin: listed.vin.clone(),
            id: listed.id,
        }
    }
}

impl Account {
    /// The light call: a car's state. Does not wake it.
    pub async fn vehicle(&self, car: &CarRef) -> Called<ListedVehicle> {
        let mut statuses = Vec::new();
        let path = self.path(car, "");
        let mut outcome = self.light(&path, car, &mut statuses).await;
        if let Some(path) = self.second_path(car, "", outcome.as_ref().err()) {
            let second = self.light(&path, car, &mut statuses).await;
            let is_limited = second.as_ref().is_err_and(ApiError::is_limit);
            if self.works(car, second.as_ref().err()) || is_limited {
                outcome = second;
            }
        }
        Called { outcome, statuses }
    }

    async fn light(
        &self,
        path: &str,
        car: &CarRef,
        statuses: &mut Vec<u16>,
    ) -> Result<ListedVehicle, ApiError> {
        let reply = self.get(path, &[], statuses).await?;
        products::light(&reply.body, &car.vin, car.id)
            .map_err(|error| ApiError::of_body(error, reply.status))
    }

    /// The data call: what Tesla tells of an online car. Does not wake it; 408 is
    /// [`ApiFailure::Unavailable`]. Where the token's own claims lack the scope for the position,
    /// `location_data` is left out.
    pub async fn vehicle_data(&self, car: &CarRef, endpoints: &[&str]) -> Called<VehicleData> {
        let mut statuses = Vec::new();
        let wanted = self.allowed(endpoints);
        let path = self.path(car, "/vehicle_data");
        let mut outcome = self.data(&path, car, &wanted, &mut statuses).await;
        if let Some(path) = self.second_path(car, "/vehicle_data", outcome.as_ref().err()) {
            let second = self.data(&path, car, &wanted, &mut statuses).await;
            let is_limited = second.as_ref().is_err_and(ApiError::is_limit);
            if self.works(car, second.as_ref().err()) || is_limited {
                outcome = second;
            }
        }
        Called { outcome, statuses }
    }

    /// The Fleet API takes the VIN; the older ones their own id, which changes when a car is added
    /// to the account again.
    fn path(&self, car: &CarRef, rest: &str) -> String {
        match self.own_id(car) {
            Some(id) if self.lost_ids().get(&id) != Some(&true) => {
                format!("/api/1/vehicles/{id}{rest}")
            }
            _ => by_vin(car, rest),
        }
    }

    /// An id that is not found is tried by its VIN once; with the next list it is worth another try.
    fn second_path(&self, car: &CarRef, rest: &str, error: Option<&ApiError>) -> Option<String> {
        let id = self.own_id(car)?;
        error.filter(|error| is_lost(error))?;
        let mut lost = self.lost_ids();
        match lost.get(&id) {
            None => Some(by_vin(car, rest)),
            Some(true) => {
                // Nor by its VIN: both are tried again.
                lost.remove(&id);
                None
            }
            Some(false) => None,
        }
    }

    /// Keeps in mind whether a car whose id is not found is found by its VIN.
    fn works(&self, car: &CarRef, error: Option<&ApiError>) -> bool {
        let works = error.is_none_or(|error| error.kind.meaning().car.tells_of_it);
        if let Some(id) = self.own_id(car)
            && (works || error.is_some_and(is_lost))
        {
            self.lost_ids().insert(id, works);
        }
        if works {
            warn!(
                account = self.name(),
                vin = %car.vin,
                "Tesla does not find the car by the id on its own list, but by its VIN: the VIN is used from now on"
            );
        }
        works
    }

    fn own_id(&self, car: &CarRef) -> Option<ApiId> {
        car.id.filter(|_| self.shared.api != Api::Fleet)
    }

    pub(super) fn lost_ids(&self) -> MutexGuard<'_, BTreeMap<ApiId, bool>> {
        let ids = &self.shared.lost_ids;
        ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn data(
        &self,
        path: &str,
        car: &CarRef,
        endpoints: &[&str],
        statuses: &mut Vec<u16>,
    ) -> Result<VehicleData, ApiError> {
        let joined = endpoints.join(";");
        let query: &[(&str, &str)] = if joined.is_empty() {
            &[]
        } else {
            &[("endpoints", &joined)]
        };
        let reply = self.get(path, query, statuses).await?;
        decode::refuse_another(&reply.body, &car.vin, car.id)
            .and_then(|()| vehicle_data::vehicle_data(&reply.body, clock::now()))
            .map_err(|error| ApiError::of_body(error, reply.status))
    }

    fn allowed<'a>(&self, endpoints: &[&'a str]) -> Vec<&'a str> {
        let claims = self.claims();
        let is_unclaimed = self.shared.api == Api::Fleet
            && claims.iter().any(|scope| scope == SCOPE_OF_DATA)
            && !claims.iter().any(|scope| scope == SCOPE_OF_LOCATION);
        endpoints
            .iter()
            .copied()
            .filter(|name| !(is_unclaimed && *name == LOCATION))
            .collect()
    }

    /// The scopes that the current token claims; none where it does not tell.
    fn claims(&self) -> Vec<String> {
        let access = self.shared.access.borrow();
        access
            .as_ref()
            .map_or_else(Vec::new, |access| access.scopes.clone())
    }
}

fn by_vin(car: &CarRef, rest: &str) -> String {
    format!("/api/1/vehicles/{}{rest}", car.vin.as_str())
}

/// Whether the address may be the cause.
fn is_lost(error: &ApiError) -> bool {
    matches!(error.kind, ApiFailure::NotFound | ApiFailure::AnotherCar)
}
