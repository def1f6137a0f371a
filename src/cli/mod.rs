//! The command line: one file a subcommand, errors on stderr, exit codes of the contract
//! (0 fine, 1 failed at run time, 2 wrong usage or configuration).

mod clear;
mod config;
#[cfg(feature = "broker")]
pub mod demo;
mod estimate;
mod health;
mod login;
mod run;

pub use clear::{Cleared, clear};
pub use config::EXAMPLE;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use tokio::runtime::{Builder, LocalOptions};

const ABOUT: &str = "Tesla → MQTT bridge: follows every car without keeping it awake";

const LONG_ABOUT: &str = "\
Tesla → MQTT bridge. Signs in to Tesla, follows every car of every account, publishes each fact \
retained to an MQTT broker and describes the cars to Home Assistant.

Nothing here ever wakes a car. A sleeping car is only asked for its state, which does not touch \
it and is believed to be free; billed data calls go to cars that are awake.

Try it without a car:    tesla2mqtt demo
Start for your own car:  tesla2mqtt config example > tesla2mqtt.toml";

const AFTER_HELP: &str = "\
Exit codes: 0 fine, 1 failed at run time, 2 wrong usage or configuration.
Any configuration key can be set in the environment: TESLA2MQTT__MQTT__URL=mqtt://broker:1883";

#[derive(Debug, Parser)]
#[command(name = "tesla2mqtt", version, about = ABOUT, long_about = LONG_ABOUT, after_help = AFTER_HELP)]
struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    #[command(subcommand)]
    command: Option<CliCommand>,
}

/// Where the configuration is read from.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigFile {
    /// Configuration file [default: /etc/tesla2mqtt/tesla2mqtt.toml, then ./config/tesla2mqtt.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run the bridge (also without a subcommand). Sleeping cars: light calls only; bill: data
    /// calls while a car is awake
    Run(ConfigFile),
    /// Everything in one process, no account and no broker needed: a simulated Tesla cloud with
    /// living cars, an MQTT broker and the bridge. Touches no real car, costs nothing
    #[cfg(feature = "broker")]
    Demo(demo::DemoOptions),
    /// Sign an account in with a refresh token from stdin, keep it, and try it: one refresh and one
    /// list of cars. Touches no car, costs nothing
    Login {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        options: login::LoginOptions,
    },
    /// Estimate what following a car will cost: calls, dollars, sleep, and how late a drive is
    /// seen. Plays a chosen life through the bridge's own policy. Asks Tesla nothing
    Estimate(estimate::EstimateOptions),
    /// Check a configuration or print a commented example. Asks Tesla nothing
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Remove every retained topic and discovery message that the bridge ever published. Asks
    /// Tesla nothing
    Clear(ConfigFile),
    /// Exit with 0 if a running bridge of this configuration is alive (for container health
    /// checks). Asks Tesla nothing
    Health(ConfigFile),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Validate the configuration; every problem with its file, line, key and expectation
    Check(ConfigFile),
    /// Print a commented example
    Example,
}

/// Runs the program; the exit code is the contract's.
pub fn main() -> ExitCode {
    let Arguments { file, command } = Arguments::parse();
    // `--config` may stand before the subcommand, too.
    let chosen = |own: ConfigFile| own.config.or(file.config.clone());
    match command.unwrap_or(CliCommand::Run(ConfigFile::default())) {
        CliCommand::Run(own) => run::main(chosen(own)),
        #[cfg(feature = "broker")]
        CliCommand::Demo(options) => {
            without_configuration("demo", &file);
            demo::main(options)
        }
        CliCommand::Login { file, options } => login::main(chosen(file).as_deref(), &options),
        CliCommand::Estimate(options) => estimate::main(&options, file.config.as_deref()),
        CliCommand::Config(ConfigCommand::Check(own)) => config::check(chosen(own)),
        CliCommand::Config(ConfigCommand::Example) => {
            without_configuration("config example", &file);
            config::example()
        }
        CliCommand::Clear(own) => clear::main(chosen(own).as_deref()),
        CliCommand::Health(own) => health::main(chosen(own)),
    }
}

/// Refuses a file that would not be read.
fn without_configuration(subcommand: &str, file: &ConfigFile) {
    if file.config.is_some() {
        let complaint = format!("--config: {subcommand} reads no configuration");
        let error = Arguments::command().error(ErrorKind::ArgumentConflict, complaint);
        error.exit()
    }
}

/// What was asked for cannot be done, whatever the world is like.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUsage(String);

/// Says every problem on stderr.
fn wrong_configuration(errors: &crate::config::ConfigErrors) -> ExitCode {
    print_error(&errors.to_string());
    ExitCode::from(2)
}

/// Says what went wrong and why, on stderr.
fn failed(error: &anyhow::Error) -> ExitCode {
    print_error(&format!("{error:#}"));
    if error.is::<WrongUsage>() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

/// Writes a line to stderr; where that is closed nobody can be told, and `eprintln!` would panic.
fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes to stdout; a reader that went away (`| head`) is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// How long work off the reactor may go on at the end of the process.
const SHUTDOWN_MAX: Duration = Duration::from_millis(100);

/// One thread is enough for a few cars, and half a megabyte smaller; a local runtime leaves the
/// code of the other kind out.
fn on_one_thread(work: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default());
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // A name that is being looked up at that moment would hold up the end for as long as
            // the system's resolver has patience.
            runtime.shutdown_timeout(SHUTDOWN_MAX);
            code
        }
        Err(error) => {
            print_error(&format!(
                "the system does not let the program start its reactor: {error}"
            ));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_look_up_that_hangs_does_not_hold_up_the_end() {
        let (release, held) = mpsc::channel::<()>();
        let begun = crate::clock::uptime();
        on_one_thread(async move {
            tokio::task::spawn_blocking(move || held.recv_timeout(Duration::from_secs(5)));
            ExitCode::SUCCESS
        });
        let took = crate::clock::uptime().saturating_sub(begun);
        assert!(took < Duration::from_secs(1), "{took:?}");
        drop(release);
    }
}
