//! One car's task: it does what the policy says, keeps what the answers showed, and says what
//! changed. It decides nothing itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::memory::{Memory, MemoryFile};
use super::voice::Voice;
use crate::api::{Account, ApiError, CarRef};
use crate::clock;
use crate::decode;
use crate::decode::products::ListedVehicle;
use crate::model::{Now, Observation, Source, Vehicle};
use crate::policy::{Ask, Failure, Governor, Input, Light, Permit, Policy, PolicyConfig, State, Step};

/// Values are written to disk at once when the state changes, else this often.
const REMEMBER_EVERY: Duration = Duration::from_secs(300);

/// What the others tell a car's task.
#[derive(Debug)]
pub enum ToCar {
    /// The account's list shows the car.
    Listed(Box<ListedVehicle>),
    /// Anything for the policy.
    Input(Input),
    /// The configuration changed.
    Reconfigure(Box<PolicyConfig>),
    /// Home Assistant was born, or lost its memory: describe the car again.
    Announce,
}

/// The way to one car through one account.
#[derive(Debug, Clone)]
pub struct Door {
    /// The account.
    pub account: Account,
    /// The account's calls this month.
    pub governor: Arc<Mutex<Governor>>,
    /// The account's lister.
    pub relist: mpsc::Sender<()>,
    /// The car's names.
    pub car: CarRef,
}

/// A car's task before it runs.
pub struct CarTask {
    /// How to ask.
    pub door: Door,
    /// What is known.
    pub vehicle: Vehicle,
    /// When to ask.
    pub policy: Policy,
    /// How to say.
    pub voice: Voice,
    /// Where to remember.
    pub file: MemoryFile,
    /// The others' words.
    pub inbox: mpsc::Receiver<ToCar>,
    /// The end.
    pub cancel: CancellationToken,
}

impl CarTask {
    /// Runs until cancelled, then writes the car's memory.
    pub async fn run(mut self) {
        let mut remember_at = clock::now().mono + REMEMBER_EVERY;
        loop {
            let now = clock::now();
            match self.policy.next(now) {
                Step::Ask(ask) => {
                    let cancel = self.cancel.clone();
                    let input = tokio::select! {
                        () = cancel.cancelled() => break,
                        input = self.ask(ask) => input,
                    };
                    self.hear(input);
                }
                Step::Relist => {
                    let _ = self.door.relist.try_send(());
                }
                Step::Wait { until, .. } => {
                    let spoken_until = self.speak(now).await;
                    if self.policy.wants_persisting() || now.mono >= remember_at {
                        self.remember(now).await;
                        remember_at = now.mono + REMEMBER_EVERY;
                    }
                    let until = until.min(spoken_until).min(remember_at);
                    tokio::select! {
                        () = self.cancel.cancelled() => break,
                        () = clock::sleep_until(until) => {}
                        Some(word) = self.inbox.recv() => self.listen(word),
                    }
                }
            }
        }
        self.remember(clock::now()).await;
    }

    fn listen(&mut self, word: ToCar) {
        match word {
            ToCar::Listed(listed) => {
                self.door.car = CarRef::of(&listed);
                let input = self.take_light(&listed, clock::now());
                self.policy.handle(clock::now(), Input::Listed);
                self.hear(input);
            }
            ToCar::Input(input) => self.hear(input),
            ToCar::Reconfigure(config) => self.policy.reconfigure(clock::now(), *config),
            ToCar::Announce => self.voice.announce_again(),
        }
    }

    fn hear(&mut self, input: Input) {
        let before = self.policy.state();
        let now = clock::now();
        self.policy.handle(now, input);
        self.note_change_of_state(before, now);
    }

    fn note_change_of_state(&self, before: State, now: Now) {
        let status = self.policy.status(now);
        if status.state != before {
            tracing::info!(vin = %self.vehicle.vin, from = %before, to = %status.state, "car state changed");
        }
    }

    async fn ask(&mut self, ask: Ask) -> Input {
        let now = clock::now();
        if let Permit::NotBefore { at, why } = self.governor().permit(now, ask) {
            tracing::debug!(vin = %self.vehicle.vin, ?ask, ?why, "call not permitted now");
            let retry_after = at.saturating_sub(now.mono);
            return Input::Failed { ask, failure: Failure::NotPermitted { retry_after } };
        }
        match ask {
            Ask::Light => match self.door.account.vehicle(&self.door.car).await {
                Ok(listed) => {
                    self.bill(ask, Some(200));
                    self.take_light(&listed, clock::now())
                }
                Err(error) => self.failed(ask, &error),
            },
            Ask::Data => match self.door.account.vehicle_data(&self.door.car).await {
                Ok(body) => {
                    self.bill(ask, Some(200));
                    self.take_data(&body, clock::now())
                }
                Err(error) => self.failed(ask, &error),
            },
        }
    }

    fn failed(&mut self, ask: Ask, error: &ApiError) -> Input {
        self.bill(ask, error.status());
        tracing::debug!(vin = %self.vehicle.vin, ?ask, %error, "call failed");
        Input::Failed { ask, failure: error.failure() }
    }

    fn bill(&mut self, ask: Ask, status: Option<u16>) {
        self.governor().billed(clock::now(), ask, status);
    }

    fn governor(&self) -> std::sync::MutexGuard<'_, Governor> {
        self.door.governor.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn take_light(&mut self, listed: &ListedVehicle, now: Now) -> Input {
        let seen = Observation {
            source: Source::Light,
            at: now.wall,
            whole_groups: Vec::new(),
            signals: listed.signals(),
        };
        self.vehicle.apply(&seen);
        Input::Light(Light { state: listed.state, in_service: listed.in_service })
    }

    fn take_data(&mut self, body: &[u8], now: Now) -> Input {
        match decode::vehicle_data::vehicle_data(body, now) {
            Ok(data) => {
                for oddity in &data.oddities {
                    tracing::debug!(vin = %self.vehicle.vin, oddity, "a field was not understood");
                }
                for seen in &data.observations {
                    self.vehicle.apply(seen);
                }
                self.voice.data_arrived(now);
                Input::Data(Box::new(data.view))
            }
            Err(error) => {
                tracing::debug!(vin = %self.vehicle.vin, %error, "data answer not understood");
                Input::Failed { ask: Ask::Data, failure: Failure::Transport }
            }
        }
    }

    async fn speak(&mut self, now: Now) -> Duration {
        let status = self.policy.status(now);
        self.voice.speak(&mut self.vehicle, &status, now).await
    }

    async fn remember(&mut self, now: Now) {
        let memory = Memory {
            policy: self.policy.snapshot(now),
            vehicle: self.vehicle.clone(),
            announced: self.voice.announced().clone(),
        };
        self.file.write(&memory).await;
    }
}
