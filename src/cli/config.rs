//! `config example` and `config check`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::print;
use crate::config::{self, Api, ConfigErrors, Loaded, Settings};
use crate::mqtt;
use crate::policy::MonthlyLimit;

/// The commented example, which is also the reference of every key.
pub const EXAMPLE: &str = include_str!("../../config/tesla2mqtt.toml");

/// What a check has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CheckReport {
    /// For standard output; ends with a line break unless empty.
    pub stdout: String,
    /// For standard error; the same.
    pub stderr: String,
    /// Exit code of the contract.
    pub code: u8,
}

/// Prints the example.
pub(super) fn example() -> ExitCode {
    print(EXAMPLE);
    ExitCode::SUCCESS
}

/// Checks the named file, or the one that `run` would take.
#[expect(
    clippy::needless_pass_by_value,
    reason = "every subcommand takes its arguments whole"
)]
pub(super) fn check(named: Option<PathBuf>) -> ExitCode {
    let report = report(named.as_deref());
    print(&report.stdout);
    // Where standard error is closed nobody can be told.
    let _ = io::stderr().lock().write_all(report.stderr.as_bytes());
    ExitCode::from(report.code)
}

/// Loads the named file, or the first of the usual ones, and looks into the files that it names.
pub(super) fn load(named: Option<&Path>) -> Result<Loaded, ConfigErrors> {
    let loaded = config::load_from_disk(named)?;
    match mqtt::check_files(&loaded.settings.mqtt) {
        Ok(()) => Ok(loaded),
        Err(error) => Err(ConfigErrors {
            messages: vec![error.to_string()],
        }),
    }
}

/// Checks a configuration with this process's environment.
pub(super) fn report(named: Option<&Path>) -> CheckReport {
    match load(named) {
        Ok(loaded) => CheckReport {
            stdout: summary(&loaded.settings),
            stderr: as_lines("warning: ", &loaded.warnings),
            code: 0,
        },
        Err(errors) => CheckReport {
            stdout: String::new(),
            stderr: as_lines("", &errors.messages),
            code: 2,
        },
    }
}

fn as_lines(start: &str, messages: &[String]) -> String {
    let mut lines = String::new();
    for message in messages {
        lines.extend([start, message, "\n"]);
    }
    lines
}

/// What the settings amount to, without a secret.
fn summary(settings: &Settings) -> String {
    let mut lines = vec!["configuration ok".to_owned()];
    let mqtt = &settings.mqtt;
    let scheme = if mqtt.tls.is_some() { "mqtts" } else { "mqtt" };
    let host = if mqtt.host.contains(':') {
        format!("[{}]", mqtt.host)
    } else {
        mqtt.host.clone()
    };
    let login = if mqtt.username.is_some() {
        "with a user name"
    } else {
        "without a login"
    };
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
    if settings
        .accounts
        .iter()
        .any(|account| account.api == Api::Fleet)
    {
        lines.push(match settings.budget.limit {
            MonthlyLimit::Dollars(dollars) => format!("budget: {dollars:.2} dollars a month"),
            MonthlyLimit::DataCalls(calls) => format!("budget: {calls} data calls a month"),
        });
    }
    let commands = if settings.commands.enabled {
        "on"
    } else {
        "off"
    };
    lines.push(format!("commands: {commands}"));
    lines.push(format!("state: {}", settings.state.directory.display()));
    lines.join("\n") + "\n"
}
