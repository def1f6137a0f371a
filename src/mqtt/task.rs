//! The one task of the broker connection: drives the pure client with a socket.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::notices;
use super::socket::{Socket, SocketTurn};
use super::{ClientRequest, Connection, Incoming, Subscription};
use crate::clock;
use crate::config;
use crate::mqtt_client::{Cause, Client, ClientEvent, ClientInput, DrainOutcome};

/// The task's ends of the channels.
pub(super) struct TaskChannels {
    pub requests: mpsc::Receiver<ClientRequest>,
    pub subscriptions: watch::Receiver<Vec<Subscription>>,
    pub arrived: mpsc::Sender<Incoming>,
    pub status: watch::Sender<Connection>,
    pub cancel: CancellationToken,
}

type Dialling = Pin<Box<dyn Future<Output = Result<Socket, Cause>> + Send>>;

pub(super) struct Task {
    settings: config::MqttSettings,
    client: Client,
    channels: TaskChannels,
    dialling: Option<Dialling>,
    socket: Option<Socket>,
    /// Who waits until fewer deletes are unconfirmed than this.
    waiting_for_deletes: Vec<(usize, oneshot::Sender<BTreeSet<String>>)>,
    is_flooded: bool,
}

/// What woke the task.
enum Wake {
    Shutdown,
    Request(ClientRequest),
    Subscriptions,
    Dialled(Result<Socket, Cause>),
    Turn(Result<SocketTurn, Cause>),
    Timer,
}

impl Task {
    pub(super) fn new(
        settings: config::MqttSettings,
        client: Client,
        channels: TaskChannels,
    ) -> Self {
        Self {
            settings,
            client,
            channels,
            dialling: None,
            socket: None,
            waiting_for_deletes: Vec::new(),
            is_flooded: false,
        }
    }

    /// Runs until cancelled and drained.
    pub(super) async fn run(mut self) -> DrainOutcome {
        let mut is_draining = false;
        loop {
            // One for the whole pass: what is not due yet has a timer.
            let now = clock::uptime();
            self.client.handle(ClientInput::Timer, now);
            if let Some(outcome) = self.carry_out(now) {
                return outcome;
            }
            let wake = self.wake(is_draining, now).await;
            let now = clock::uptime();
            match wake {
                Wake::Shutdown => {
                    is_draining = true;
                    self.take_waiting();
                    self.client.handle(ClientInput::Shutdown, now);
                }
                Wake::Request(request) => {
                    self.take(request);
                    self.take_waiting();
                }
                Wake::Subscriptions => {
                    let wanted = self.channels.subscriptions.borrow_and_update().clone();
                    self.client.handle(ClientInput::Listen(wanted), now);
                }
                Wake::Dialled(Ok(socket)) => {
                    self.dialling = None;
                    self.socket = Some(socket);
                    self.client.handle(ClientInput::Opened, now);
                }
                Wake::Turn(Ok(SocketTurn::Written)) => {
                    self.client.handle(ClientInput::Written, now);
                }
                Wake::Turn(Ok(SocketTurn::Arrived)) => self.receive_all(),
                Wake::Dialled(Err(cause)) | Wake::Turn(Err(cause)) => self.lost(cause),
                Wake::Turn(Ok(SocketTurn::Nothing)) | Wake::Timer => {}
            }
        }
    }

    async fn wake(&mut self, is_draining: bool, now: Duration) -> Wake {
        let due_at = self.client.due_at(now);
        let due = clock::instant_of(due_at.unwrap_or_default());
        tokio::select! {
            () = self.channels.cancel.cancelled(), if !is_draining => Wake::Shutdown,
            Some(request) = self.channels.requests.recv(), if !is_draining => Wake::Request(request),
            Ok(()) = self.channels.subscriptions.changed(), if !is_draining => Wake::Subscriptions,
            socket = present(self.dialling.as_mut()), if self.dialling.is_some() => {
                Wake::Dialled(socket)
            }
            turn = turn(self.socket.as_mut()), if self.socket.is_some() => Wake::Turn(turn),
            () = sleep_until(due), if due_at.is_some() => Wake::Timer,
        }
    }

    /// Does what the client asks for, until it asks for nothing more; `Some`: it has ended.
    fn carry_out(&mut self, now: Duration) -> Option<DrainOutcome> {
        let mut has_sent = false;
        loop {
            if let Some(outcome) = self.handle_events() {
                return Some(outcome);
            }
            let Some(socket) = self.socket.as_mut().filter(|socket| socket.has_room()) else {
                break;
            };
            let Some(packet) = self.client.next_packet(now) else {
                break;
            };
            has_sent = true;
            if let Err(cause) = socket.put(&self.settings, packet) {
                self.lost(cause);
            }
        }
        if has_sent && let (Some(socket), Some(facts)) = (&mut self.socket, self.client.facts()) {
            socket.expect_answers(self.client.n_in_flight(), facts.receive_max.into());
        }
        self.report_unconfirmed_deletes(now);
        self.handle_events()
    }

    fn report_unconfirmed_deletes(&mut self, now: Duration) {
        if self.waiting_for_deletes.is_empty() || !self.client.is_all_answered(now) {
            return;
        }
        let unconfirmed = self.client.unconfirmed_deletes();
        let is_fewer =
            |(before, _): &mut (usize, _)| unconfirmed.is_empty() || unconfirmed.len() < *before;
        for (_, reply) in self.waiting_for_deletes.extract_if(.., is_fewer) {
            let _ = reply.send(unconfirmed.clone());
        }
    }

    fn handle_events(&mut self) -> Option<DrainOutcome> {
        while let Some(event) = self.client.next_event() {
            match event {
                ClientEvent::Open => {
                    let settings = self.settings.clone();
                    self.dialling = Some(Box::pin(async move { Socket::dial(&settings).await }));
                }
                ClientEvent::Close => {
                    self.dialling = None;
                    self.socket = None;
                }
                ClientEvent::Status(connection) => {
                    self.channels.status.send_replace(connection);
                }
                ClientEvent::Message(message) => self.pass_on(message),
                ClientEvent::Log(notice) => notices::log(&self.settings, notice),
                ClientEvent::Ended(outcome) => return Some(outcome),
            }
        }
        None
    }

    /// Takes all that has arrived before anything else is done about it.
    fn receive_all(&mut self) {
        let now = clock::uptime();
        while let Some(socket) = &mut self.socket {
            match socket.next_packet() {
                Ok(Some(packet)) => self.client.handle(ClientInput::Received(packet), now),
                Ok(None) => return,
                Err(cause) => return self.lost(cause),
            }
        }
    }

    fn lost(&mut self, cause: Cause) {
        self.dialling = None;
        self.socket = None;
        self.client
            .handle(ClientInput::Lost(cause), clock::uptime());
    }

    fn pass_on(&mut self, message: Incoming) {
        if self.channels.arrived.try_send(message).is_ok() {
            if std::mem::take(&mut self.is_flooded) {
                info!("incoming messages are read again");
            }
        } else if !std::mem::replace(&mut self.is_flooded, true) {
            // Whoever floods us must not be able to stop what we publish.
            warn!("incoming messages are dropped: they come faster than they are read");
        }
    }

    /// Takes what has been published so far, so that one write to the broker carries all of it.
    fn take_waiting(&mut self) {
        while let Ok(request) = self.channels.requests.try_recv() {
            self.take(request);
        }
    }

    fn take(&mut self, request: ClientRequest) {
        match request {
            ClientRequest::Publish(messages) => self
                .client
                .handle(ClientInput::Publish(messages), clock::uptime()),
            ClientRequest::UnconfirmedDeletes(answer) => {
                let n_unconfirmed = self.client.unconfirmed_deletes().len();
                self.waiting_for_deletes
                    .retain(|(_, reply)| !reply.is_closed());
                self.waiting_for_deletes.push((n_unconfirmed, answer));
            }
        }
    }
}

async fn present(dialling: Option<&mut Dialling>) -> Result<Socket, Cause> {
    match dialling {
        Some(dialling) => dialling.await,
        None => std::future::pending().await,
    }
}

async fn turn(socket: Option<&mut Socket>) -> Result<SocketTurn, Cause> {
    match socket {
        Some(socket) => socket.turn().await,
        None => std::future::pending().await,
    }
}
