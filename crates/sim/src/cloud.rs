//! A Tesla cloud on loopback, over real HTTP: the three generations of login, lists, light calls,
//! `vehicle_data`, wake calls (counted: nothing but an owner's command may make one), a ledger,
//! and every fault that a network or a gateway can have.
//!
//! [`Cloud`] is the handle: it starts the server, and lets its owner add cars, look at the ledger
//! and order faults while clients talk to it. One `CloudState` behind one mutex, held for the length
//! of an answer and never across an await.

mod faults;
mod http;
mod ledger;
mod login;
mod tokens;
mod wire;
mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use faults::{Aim, Fault};
pub use ledger::{CallKind, Request, RequestLog};
pub use tokens::{Family, Login, Rotation};
pub use world::TeslaAccount;

use super::body::recorded::{Recording, RecordingError};
use super::body::script::Script;
use super::{Car, CarSpec};
use faults::Faults;
use tesla2mqtt_core::model::{Now, Vin};
use wire::{Cut, Doors};
use world::CloudState;

/// How the cloud behaves.
#[derive(Debug, Clone)]
pub struct CloudOptions {
    /// Loopback, port 0: the system picks one.
    pub listen: SocketAddr,
    /// Where its time comes from: the clocks of this process, unless another one is handed in.
    pub now: fn() -> Now,
    /// Its time.
    pub clock: Clock,
    /// Of tokens and ids.
    pub seed: u64,
    /// Life of the access tokens of the owner and Fleet logins.
    pub access_life: Duration,
    /// Life of the access tokens of the login of 2019.
    pub password_access_life: Duration,
    /// How long a refresh token stays good after its use, to repair a lost reply.
    pub grace: Duration,
    /// `endpoint_deprecated`, as since January 2021.
    pub password_login_deprecated: bool,
    /// 403 when `location_data` is asked for without its scope; else the place is left out.
    pub refuse_location: bool,
    /// Largest page of a list on the Fleet API.
    pub page_size: usize,
}

impl Default for CloudOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            now: system_now,
            clock: Clock::Shared,
            seed: 1,
            access_life: Duration::from_hours(8),
            password_access_life: Duration::from_hours(45 * 24),
            grace: Duration::from_hours(24),
            password_login_deprecated: false,
            refuse_location: false,
            page_size: 100,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of a cloud that is given none"
)]
fn system_now() -> Now {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    Now {
        mono: STARTED.get_or_init(Instant::now).elapsed(),
        wall: Timestamp::now(),
    }
}

/// The cloud's time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clock {
    /// The calendar of [`CloudOptions::now`], with the speed that it has.
    Shared,
    /// From `start`, `speed` times as fast as [`CloudOptions::now`]; 0 stands still until it is moved.
    Own {
        /// At the start of the cloud.
        start: Timestamp,
        /// Factor.
        speed: f64,
    },
}

/// A running cloud. Dropping it stops the server.
#[derive(Debug)]
pub struct Cloud {
    shared: Shared,
    address: SocketAddr,
    server: Option<JoinHandle<()>>,
}

/// What the handle and the connections share.
#[derive(Clone)]
struct Shared {
    world: Arc<Mutex<CloudState>>,
    time: Arc<Mutex<Time>>,
    /// Changes with each request that is noted.
    noted: watch::Sender<()>,
    stop: CancellationToken,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

#[derive(Debug)]
struct Time {
    now: fn() -> Now,
    clock: Clock,
    started: Duration,
    moved: Duration,
}

impl Time {
    fn now(&self) -> Timestamp {
        let now = (self.now)();
        let base = match self.clock {
            Clock::Shared => now.wall,
            Clock::Own { start, speed } => {
                start
                    + now
                        .mono
                        .saturating_sub(self.started)
                        .mul_f64(speed.max(0.0))
            }
        };
        base + self.moved
    }
}

impl Shared {
    /// A panic while the mutex was held is the panicking test's failure, not everyone's.
    fn world(&self) -> MutexGuard<'_, CloudState> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.time
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .now()
    }
}

impl Cloud {
    /// Opens the door. Must be called on a tokio runtime, which then serves it.
    pub async fn start(options: CloudOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let time = Time {
            now: options.now,
            clock: options.clock,
            started: (options.now)().mono,
            moved: Duration::ZERO,
        };
        let shared = Shared {
            world: Arc::new(Mutex::new(CloudState::new(
                options,
                format!("http://{address}"),
            ))),
            time: Arc::new(Mutex::new(time)),
            noted: watch::Sender::default(),
            stop: CancellationToken::new(),
        };
        let server = tokio::spawn(http::serve(Doors(listener), shared.clone()));
        Ok(Self {
            shared,
            address,
            server: Some(server),
        })
    }

    /// `http://127.0.0.1:port`: for `api_url` and for `auth_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The cloud's time.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Lets the cloud's time jump ahead.
    pub fn advance(&self, by: Duration) {
        self.shared
            .time
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .moved += by;
    }

    /// Makes an account; one that exists stays as it is.
    pub fn add_account(&self, account: TeslaAccount) {
        self.shared.world().join(account);
    }

    /// Changes an account: its scopes, its rotation. Makes it if need be.
    pub fn change_account(&self, name: &str, change: impl FnOnce(&mut TeslaAccount)) {
        let mut world = self.shared.world();
        world.join(TeslaAccount::new(name));
        if let Some(member) = world.members.get_mut(name) {
            change(&mut member.account);
        }
    }

    /// Puts a car on an account, which is made if need be. The same VIN on a second account is
    /// the same car.
    pub fn add_car(&self, account: &str, spec: CarSpec) {
        let now = self.now();
        self.shared.world().add_car(account, spec, now);
    }

    /// The same with a life that began at a time that has passed.
    pub fn add_car_since(&self, account: &str, spec: CarSpec, since: Timestamp) {
        self.shared.world().add_car(account, spec, since);
    }

    /// Puts a recorded `vehicle_data` answer on an account as a car that is always online.
    pub fn add_recording(&self, account: &str, answer: Value) -> Result<Vin, RecordingError> {
        let recording = Recording::new(answer)?;
        let vin = recording.vin().clone();
        self.shared.world().add_recording(account, recording);
        Ok(vin)
    }

    /// Puts a car on an account whose answers are written down, one by one.
    pub fn add_script(&self, account: &str, script: Script) -> Vin {
        let vin = script.vin().clone();
        self.shared.world().add_script(account, script);
        vin
    }

    /// From now on calls about this car are answered only if they name it by its VIN, whatever the
    /// login; by its number it is not found.
    pub fn forget_number(&self, vin: &Vin) {
        self.shared.world().forget_number(vin);
    }

    /// Takes a car off an account: sold, or shared no longer.
    pub fn remove_car(&self, account: &str, vin: &Vin) {
        if let Some(member) = self.shared.world().members.get_mut(account) {
            member.cars.retain(|known| known != vin);
        }
    }

    /// Looks at, or changes, a living car at the cloud's time.
    pub fn car<T>(&self, vin: &Vin, look: impl FnOnce(&mut Car) -> T) -> Option<T> {
        let now = self.now();
        let mut world = self.shared.world();
        let car = world.car(vin)?;
        car.advance(now);
        Some(look(car))
    }

    /// A sign-in: (refresh token, access token) of a new family.
    pub fn issue_tokens(&self, account: &str, login: Login) -> (String, String) {
        let now = self.now();
        self.shared.world().issue(account, login, now)
    }

    /// The refresh tokens of an account.
    pub fn family(&self, account: &str, login: Login) -> Family {
        let world = self.shared.world();
        let member = world.members.get(account);
        member
            .and_then(|m| m.families.get(&login))
            .cloned()
            .unwrap_or_default()
    }

    /// Every token ever handed out, to look for where none must be.
    pub fn every_token(&self) -> Vec<String> {
        let world = self.shared.world();
        let families = world.members.values().flat_map(|m| m.families.values());
        let refresh = families.flat_map(Family::every_token);
        refresh.chain(world.access.every_token()).collect()
    }

    /// The owner changes the password: no refresh token of the account is good any more, and no
    /// access token either.
    pub fn revoke(&self, account: &str) {
        let now = self.now();
        let mut world = self.shared.world();
        if let Some(member) = world.members.get_mut(account) {
            for family in member.families.values_mut() {
                family.revoked = true;
            }
        }
        world.expire_access(account, now);
    }

    /// Ends the access tokens of an account before their time; refresh tokens stay good.
    pub fn expire_access(&self, account: &str) {
        let now = self.now();
        self.shared.world().expire_access(account, now);
    }

    /// The next `n` requests that the aim hits fail like this.
    pub fn fail_next(&self, n: usize, aim: &Aim, fault: &Fault) {
        self.shared.world().faults.order(n, aim, fault);
    }

    /// The nth (from 1) request from now on that the aim hits fails like this.
    pub fn fail_nth(&self, nth: u64, aim: &Aim, fault: &Fault) {
        self.shared.world().faults.order_nth(nth, aim, fault);
    }

    /// From now on a share (0 to 1) of the requests that the aim hits fails, each like one of
    /// these; the seed decides which and how.
    pub fn fail_share(&self, share: f64, aim: Aim, faults: Vec<Fault>, seed: u64) {
        self.shared.world().faults.rate(share, aim, faults, seed);
    }

    /// From now on a share (0 to 1) of all requests fails, in every way that passes by itself. An
    /// access token may be refused before its time; a refresh token never is, because that is for
    /// good.
    pub fn be_unreliable(&self, share: f64, seed: u64) {
        let sign_in = Aim::at(&[CallKind::Token, CallKind::Password]);
        let with_access_token = Aim::at(&[
            CallKind::Products,
            CallKind::Vehicles,
            CallKind::Light,
            CallKind::Data,
            CallKind::Wake,
            CallKind::Region,
        ]);
        let passing = Fault::passing();
        let mut refused = passing.clone();
        refused.push(Fault::status(401, "token expired (401)"));
        let faults = &mut self.shared.world().faults;
        faults.rate(share, sign_in, passing, seed);
        faults.rate(share, with_access_token, refused, seed + 1);
    }

    /// No faults any more.
    pub fn heal(&self) {
        self.shared.world().faults.clear();
    }

    /// Counters and requests, as of now.
    pub fn ledger(&self) -> RequestLog {
        self.read_ledger(RequestLog::clone)
    }

    /// Reads the counters and requests where they are: for what is asked often.
    pub fn read_ledger<T>(&self, read: impl FnOnce(&RequestLog) -> T) -> T {
        read(&self.shared.world().ledger)
    }

    /// Calls of a kind so far.
    pub fn count(&self, call: CallKind) -> u64 {
        self.read_ledger(|ledger| ledger.count(call))
    }

    /// Waits until there were more than `n` calls of a kind, and returns as the next one comes.
    pub async fn until_more_than(&self, n: u64, call: CallKind) {
        let mut noted = self.shared.noted.subscribe();
        while self.count(call) <= n && noted.changed().await.is_ok() {}
    }

    /// Stops within two seconds: no new connections, hanging answers cut.
    pub async fn shutdown(mut self) {
        self.shared.stop.cancel();
        if let Some(server) = self.server.take() {
            let stopping = server.abort_handle();
            let _ = tokio::time::timeout(Duration::from_secs(2), server).await;
            stopping.abort();
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}
