//! What an account has: its list of products, all pages.

use std::collections::BTreeSet;

use tracing::debug;

use super::{Account, Called};
use crate::api::error::ApiError;
use crate::decode::products::{self, ListedSite, ListedVehicle, ProductPage};
use crate::failure::ApiFailure;

/// The list of an account that never ends is cut here; a page has a hundred products.
const MOST_PAGES: usize = 10;

/// What an account has, all pages together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProductList {
    /// The cars, each VIN once.
    pub vehicles: Vec<ListedVehicle>,
    /// The energy sites, each once.
    pub energy_sites: Vec<ListedSite>,
    /// Entries that may be cars and could not be read.
    pub n_unusable: usize,
    /// Tesla named more pages than anyone has cars.
    pub is_cut: bool,
}

impl ProductList {
    /// Whether a car that is not on it is none of the account's.
    pub fn is_whole(&self) -> bool {
        self.n_unusable == 0 && !self.is_cut
    }
}

impl Account {
    /// Lists cars and energy sites, all pages; from the old list of vehicles where the server does
    /// not have the new one. A page that fails fails the whole: half a list would make cars vanish.
    pub async fn products(&self) -> Called<ProductList> {
        let mut statuses = Vec::new();
        let mut outcome = self.list("/api/1/products", &mut statuses).await;
        if let Err(error) = &outcome
            && matches!(
                error.kind,
                ApiFailure::NotFound | ApiFailure::EndpointGone | ApiFailure::InService
            )
        {
            debug!(account = self.name(), %error, "no list of products here; asking for the old list of vehicles");
            let older = self.list("/api/1/vehicles", &mut statuses).await;
            outcome = match older {
                Err(limit) if limit.is_limit() => Err(limit),
                older => older.or(outcome),
            };
        }
        if outcome.is_ok() {
            self.lost_ids()
                .retain(|_, is_found_by_vin| *is_found_by_vin);
        }
        Called { outcome, statuses }
    }

    async fn list(&self, path: &str, statuses: &mut Vec<u16>) -> Result<ProductList, ApiError> {
        let mut list = ProductList::default();
        let mut seen = (BTreeSet::new(), BTreeSet::new());
        let mut page_number: Option<u64> = None;
        for _ in 0..MOST_PAGES {
            let number = page_number.map(|n| n.to_string());
            let query: Vec<(&str, &str)> = number.iter().map(|n| ("page", n.as_str())).collect();
            let reply = self.get(path, &query, statuses).await?;
            let page: ProductPage = products::products(&reply.body)
                .map_err(|error| ApiError::of_body(error, reply.status))?;
            let n_before = list.vehicles.len() + list.energy_sites.len();
            list.n_unusable += page.n_unusable;
            list.vehicles.extend(
                page.vehicles
                    .into_iter()
                    .filter(|car| seen.0.insert(car.vin.clone())),
            );
            list.energy_sites.extend(
                page.energy_sites
                    .into_iter()
                    .filter(|site| seen.1.insert(site.energy_site_id)),
            );
            let is_new = list.vehicles.len() + list.energy_sites.len() > n_before;
            match page.next_page {
                Some(next) if page_number.is_none_or(|this| next > this) => {
                    page_number = Some(next);
                }
                _ => return Ok(list),
            }
            if !is_new {
                break;
            }
        }
        debug!(
            account = self.name(),
            "the list of products claims more pages and brings nothing new, or does not end; cut"
        );
        list.is_cut = true;
        Ok(list)
    }
}
