//! What stands behind the simulated cloud's door: cars, accounts, tokens; requests in, answers
//! out, no I/O.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::tokens::{Access, AccessTokens, Family, Login, Rotation};
use super::{CallKind, CloudOptions, Faults, RequestLog};
use crate::body::recorded::Recording;
use crate::body::script::Script;
use crate::body::{self, Endpoints, Ids, Object};
use crate::{Car, CarSpec};
use tesla2mqtt_core::model::Vin;
use tesla2mqtt_core::policy::{Light, LightState};

/// One Tesla account. Public fields: tests change what they are about.
#[derive(Debug, Clone)]
pub struct TeslaAccount {
    /// Its name in the cloud.
    pub name: String,
    /// For the login of 2019.
    pub email: String,
    /// For the login of 2019.
    pub password: String,
    /// The only app that may refresh its Fleet tokens; `None`: any.
    pub client_id: Option<String>,
    /// `na`, `eu` or `cn`.
    pub region: String,
    /// Claim `scp`, checked by the calls.
    pub scopes: Vec<String>,
    /// What a refresh answers.
    pub rotation: Rotation,
    /// Energy sites beside the cars.
    pub n_sites: u64,
}

impl TeslaAccount {
    /// A European account with all reading scopes, rotating refresh tokens and no energy site.
    pub fn new(name: &str) -> Self {
        let scopes = [
            "openid",
            "offline_access",
            "vehicle_device_data",
            "vehicle_location",
            "vehicle_cmds",
        ];
        Self {
            name: name.to_owned(),
            email: format!("{name}@example.com"),
            password: format!("password-of-{name}"),
            client_id: None,
            region: "eu".to_owned(),
            scopes: scopes.map(str::to_owned).to_vec(),
            rotation: Rotation::New,
            n_sites: 0,
        }
    }
}

pub(super) struct Member {
    pub account: TeslaAccount,
    pub cars: Vec<Vin>,
    pub families: BTreeMap<Login, Family>,
    pub n_access: u64,
}

enum Actor {
    Living(Box<Car>),
    Recorded(Box<Recording>),
    Scripted(Box<Script>),
}

/// A car in the cloud.
pub(super) struct Garage {
    actor: Actor,
    ids: Ids,
    is_known_by_number: bool,
}

pub(super) struct CloudState {
    pub options: CloudOptions,
    pub members: BTreeMap<String, Member>,
    garages: BTreeMap<Vin, Garage>,
    pub access: AccessTokens,
    pub ledger: RequestLog,
    pub faults: Faults,
    /// As clients reach this cloud.
    pub url: String,
    pub noise: u64,
}

/// A request, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub call: CallKind,
    /// What stands for `{id}`.
    pub target: Option<String>,
    pub query: BTreeMap<String, String>,
    pub bearer: Option<String>,
    /// Fields of a JSON or form body.
    pub fields: BTreeMap<String, String>,
}

/// An answer: status and body.
pub(super) type StatusAndBody = (u16, Value);

impl CloudState {
    pub(super) fn new(options: CloudOptions, url: String) -> Self {
        Self {
            noise: options.seed,
            options,
            members: BTreeMap::new(),
            garages: BTreeMap::new(),
            access: AccessTokens::default(),
            ledger: RequestLog::default(),
            faults: Faults::default(),
            url,
        }
    }

    pub(super) fn join(&mut self, account: TeslaAccount) {
        let member = Member {
            account,
            cars: Vec::new(),
            families: BTreeMap::new(),
            n_access: 0,
        };
        self.members
            .entry(member.account.name.clone())
            .or_insert(member);
    }

    /// Puts a car on an account, and into the world if it is new.
    pub(super) fn add_car(&mut self, account: &str, spec: CarSpec, now: Timestamp) {
        let vin = spec.vin.clone();
        let ids = Ids::of(spec.seed);
        self.garages.entry(vin.clone()).or_insert_with(|| Garage {
            actor: Actor::Living(Box::new(Car::new(spec, now))),
            ids,
            is_known_by_number: true,
        });
        self.own(account, vin);
    }

    pub(super) fn add_recording(&mut self, account: &str, recording: Recording) {
        let vin = recording.vin().clone();
        let garage = Garage {
            ids: recording.ids(),
            actor: Actor::Recorded(Box::new(recording)),
            is_known_by_number: true,
        };
        self.garages.insert(vin.clone(), garage);
        self.own(account, vin);
    }

    pub(super) fn add_script(&mut self, account: &str, script: Script) {
        let vin = script.vin().clone();
        let garage = Garage {
            ids: script.ids(),
            actor: Actor::Scripted(Box::new(script)),
            is_known_by_number: true,
        };
        self.garages.insert(vin.clone(), garage);
        self.own(account, vin);
    }

    pub(super) fn forget_number(&mut self, vin: &Vin) {
        if let Some(garage) = self.garages.get_mut(vin) {
            garage.is_known_by_number = false;
        }
    }

    fn own(&mut self, account: &str, vin: Vin) {
        self.join(TeslaAccount::new(account));
        if let Some(member) = self.members.get_mut(account)
            && !member.cars.contains(&vin)
        {
            member.cars.push(vin);
        }
    }

    pub(super) fn car(&mut self, vin: &Vin) -> Option<&mut Car> {
        match &mut self.garages.get_mut(vin)?.actor {
            Actor::Living(car) => Some(car),
            Actor::Recorded(_) | Actor::Scripted(_) => None,
        }
    }

    pub(super) fn expire_access(&mut self, account: &str, now: Timestamp) {
        self.access.expire(account, now);
    }

    /// The access token's number on its account, for the log of requests.
    pub(super) fn generation(&self, bearer: Option<&str>) -> Option<u64> {
        self.access.get(bearer?).map(|access| access.generation)
    }

    /// The car that a path names, whoever asks.
    pub(super) fn vin_of(&self, target: &str) -> Option<Vin> {
        let by_id = |(_, garage): &(&Vin, &Garage)| target.parse() == Ok(garage.ids.id);
        let by_vin = Vin::new(target)
            .ok()
            .filter(|vin| self.garages.contains_key(vin));
        by_vin.or_else(|| self.garages.iter().find(by_id).map(|(vin, _)| vin.clone()))
    }

    /// The same for a login: only the Fleet API takes a VIN in the place of the number.
    fn vin_as_named(&self, target: &str, login: Login) -> Option<Vin> {
        let vin = self.vin_of(target)?;
        let garage = self.garages.get(&vin)?;
        let is_told = if target == vin.as_str() {
            login == Login::Fleet || !garage.is_known_by_number
        } else {
            garage.is_known_by_number
        };
        is_told.then_some(vin)
    }

    pub(super) fn answer(&mut self, asked: &Asked, now: Timestamp) -> StatusAndBody {
        match asked.call {
            CallKind::Password => return self.password_login(&asked.fields, now),
            CallKind::Token => return self.token(&asked.fields, now),
            _ => {}
        }
        let Some(access) = asked
            .bearer
            .as_deref()
            .and_then(|token| self.access.get(token))
        else {
            return error(401, "invalid bearer token");
        };
        if access.ends <= now {
            return error(401, "token expired (401)");
        }
        let access = access.clone();
        match asked.call {
            CallKind::Region => self.region(&access),
            CallKind::Products => self.products(&access, asked, now),
            CallKind::Vehicles if access.login == Login::Owner => error(
                412,
                "Endpoint is only available on fleetapi. Visit https://developer.tesla.com/docs for more info",
            ),
            CallKind::Vehicles => self.vehicles(&access, asked, now),
            CallKind::Light | CallKind::Data | CallKind::Wake => self.of_car(&access, asked, now),
            _ => error(404, "not_found"),
        }
    }

    fn region(&self, access: &Access) -> StatusAndBody {
        let region = self
            .members
            .get(&access.account)
            .map_or("na", |m| m.account.region.as_str());
        (
            200,
            json!({ "response": { "region": region, "fleet_api_base_url": self.url } }),
        )
    }

    fn products(&mut self, access: &Access, asked: &Asked, now: Timestamp) -> StatusAndBody {
        let (cars, n_sites) = self.of_account(access);
        let mut list: Vec<Value> = cars
            .iter()
            .filter_map(|vin| Some(Value::Object(self.garages.get_mut(vin)?.product(now))))
            .collect();
        list.extend((1..=n_sites).map(|n| Value::Object(body::energy_site(n))));
        self.page(list, access, asked)
    }

    fn vehicles(&mut self, access: &Access, asked: &Asked, now: Timestamp) -> StatusAndBody {
        let (cars, _) = self.of_account(access);
        let garages = cars
            .iter()
            .filter_map(|vin| Some(Value::Object(self.garages.get_mut(vin)?.vehicle(now))));
        let list = garages.collect();
        self.page(list, access, asked)
    }

    fn of_account(&self, access: &Access) -> (Vec<Vin>, u64) {
        let member = self.members.get(&access.account);
        member.map_or_else(Default::default, |m| (m.cars.clone(), m.account.n_sites))
    }

    /// One page of a list; only the Fleet API speaks of pages.
    fn page(&self, list: Vec<Value>, access: &Access, asked: &Asked) -> StatusAndBody {
        if access.login != Login::Fleet {
            return (200, json!({ "count": list.len(), "response": list }));
        }
        let number = |key: &str| {
            asked
                .query
                .get(key)
                .and_then(|text| text.parse::<usize>().ok())
        };
        let largest = self.options.page_size.max(1);
        let per_page = number("per_page").unwrap_or(largest).clamp(1, largest);
        let current = number("page").unwrap_or(1).max(1);
        let pages = list.len().div_ceil(per_page).max(1);
        let all = list.len();
        let from = (current - 1).saturating_mul(per_page);
        let shown: Vec<Value> = list.into_iter().skip(from).take(per_page).collect();
        let body = json!({
            "response": shown,
            "pagination": {
                "previous": (current > 1).then(|| current - 1),
                "next": (current < pages).then(|| current + 1),
                "current": current,
                "per_page": per_page,
                "count": all,
                "pages": pages,
            },
            "count": shown.len(),
        });
        (200, body)
    }

    fn of_car(&mut self, access: &Access, asked: &Asked, now: Timestamp) -> StatusAndBody {
        let vin = asked
            .target
            .as_deref()
            .and_then(|target| self.vin_as_named(target, access.login));
        let member = self.members.get(&access.account);
        let Some((vin, member)) = vin
            .zip(member)
            .filter(|(vin, member)| member.cars.contains(vin))
        else {
            return error(404, "not_found");
        };
        let may = |scope: &str| {
            access.login != Login::Fleet || member.account.scopes.iter().any(|s| s == scope)
        };
        let mut endpoints = Endpoints::parse(asked.query.get("endpoints").map(String::as_str));
        let wanted = if asked.call == CallKind::Wake {
            "vehicle_cmds"
        } else {
            "vehicle_device_data"
        };
        if !may(wanted)
            || (endpoints.location && !may("vehicle_location") && self.options.refuse_location)
        {
            return error(403, "Unauthorized missing scopes");
        }
        endpoints.location &= may("vehicle_location");
        let Some(garage) = self.garages.get_mut(&vin) else {
            return error(404, "not_found");
        };
        let whole = |body: Object| (200, json!({ "response": body }));
        match asked.call {
            CallKind::Light => whole(garage.vehicle(now)),
            CallKind::Wake => {
                if let Actor::Living(car) = &mut garage.actor {
                    car.wake(now);
                }
                whole(garage.vehicle(now))
            }
            _ => match garage.data(&endpoints, now) {
                Data::Body(body) => whole(body),
                Data::Unavailable => {
                    error(408, "vehicle unavailable: vehicle is offline or asleep")
                }
                Data::InService => error(405, "vehicle is currently in service"),
            },
        }
    }
}

enum Data {
    Body(Object),
    Unavailable,
    InService,
}

impl Garage {
    fn vehicle(&mut self, now: Timestamp) -> Object {
        match &mut self.actor {
            Actor::Living(car) => {
                let light = car.light(now);
                body::vehicle(car.spec(), self.ids, light)
            }
            Actor::Recorded(recording) => recording.vehicle(),
            Actor::Scripted(script) => script.vehicle(),
        }
    }

    fn product(&mut self, now: Timestamp) -> Object {
        match &mut self.actor {
            Actor::Living(car) => {
                let light = car.light(now);
                body::product(car.spec(), self.ids, light, now)
            }
            Actor::Recorded(recording) => recording.vehicle(),
            Actor::Scripted(script) => script.vehicle(),
        }
    }

    fn data(&mut self, endpoints: &Endpoints, now: Timestamp) -> Data {
        let car = match &mut self.actor {
            Actor::Recorded(recording) => return Data::Body(recording.vehicle_data(endpoints)),
            Actor::Scripted(script) => return Data::Body(script.vehicle_data(endpoints, now)),
            Actor::Living(car) => car,
        };
        let online = Light {
            state: LightState::Online,
            in_service: true,
        };
        if car.light(now) == online {
            return Data::InService;
        }
        match car.data(now) {
            Some(view) => Data::Body(body::vehicle_data(car.spec(), self.ids, &view, endpoints)),
            None => Data::Unavailable,
        }
    }
}

/// An answer in the shape of Tesla's errors.
pub(super) fn error(status: u16, text: &str) -> StatusAndBody {
    (
        status,
        json!({ "response": null, "error": text, "error_description": "" }),
    )
}
