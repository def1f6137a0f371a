//! `config example` and `config check`.

use std::fmt::Write as _;
use std::path::Path;

use crate::config::{self, Api, Limit, Settings};

/// What a subcommand wants printed, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// For standard output; ends with a line break unless empty.
    pub stdout: String,
    /// For standard error; the same.
    pub stderr: String,
    /// Exit code of the contract.
    pub code: u8,
}

/// The commented example, which is also the reference of every key.
pub fn example() -> &'static str {
    include_str!("../../config/tesla2mqtt.toml")
}

/// Checks the named file, or the one that `run` would take, with this process's environment.
pub fn check(named: Option<&Path>) -> Outcome {
    match config::load_from_disk(named) {
        Ok(loaded) => {
            let mut stderr = String::new();
            for warning in &loaded.warnings {
                let _ = writeln!(stderr, "warning: {warning}");
            }
            Outcome {
                stdout: summary(&loaded.settings),
                stderr,
                code: 0,
            }
        }
        Err(errors) => Outcome {
            stdout: String::new(),
            stderr: format!("{errors}\n"),
            code: 2,
        },
    }
}

/// What the settings amount to, without a secret.
fn summary(settings: &Settings) -> String {
    let mut lines = vec!["configuration ok".to_owned()];
    let mqtt = &settings.mqtt;
    let scheme = if mqtt.tls.is_some() { "mqtts" } else { "mqtt" };
    let host = if mqtt.host.contains(':') { format!("[{}]", mqtt.host) } else { mqtt.host.clone() };
    let login = if mqtt.username.is_some() { "with a user name" } else { "without a login" };
    lines.push(format!(
        "broker: {scheme}://{host}:{} {login}, topics below {}",
        mqtt.port, mqtt.base_topic
    ));
    if settings.broker.enabled {
        lines.push(format!("own broker: on {}", settings.broker.listen));
    }
    lines.push(match &settings.homeassistant {
        ha if ha.enabled => format!("home assistant: discovery below {}", ha.discovery_prefix),
        _ => "home assistant: off".to_owned(),
    });
    for account in &settings.accounts {
        let token = match (&account.refresh_token, &account.password) {
            (Some(_), _) => "refresh token given",
            (None, Some(_)) => "password given",
            (None, None) => "no token here: `tesla2mqtt login` must have stored one",
        };
        let api = match account.api {
            Api::Fleet => "fleet",
            Api::Owner => "owner",
            Api::Password => "password",
        };
        lines.push(format!("account {}: {api}, {token}", account.name));
    }
    for (vin, car) in &settings.cars {
        if let Some(alias) = &car.alias {
            lines.push(format!("car {vin}: published as {alias}"));
        }
    }
    if settings.accounts.iter().any(|account| account.api == Api::Fleet) {
        lines.push(match settings.budget.limit {
            Limit::Dollars(dollars) => format!("budget: {dollars:.2} dollars a month"),
            Limit::Calls(calls) => format!("budget: {calls} data calls a month"),
        });
    }
    let commands = if settings.commands.enabled { "on" } else { "off" };
    lines.push(format!("commands: {commands}"));
    lines.push(format!("state: {}", settings.state.directory.display()));
    lines.join("\n") + "\n"
}
