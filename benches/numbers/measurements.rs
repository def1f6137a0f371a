//! The measurements as a table: rows with their limits, and the verdict.

use std::process::ExitCode;

/// How the program ends when a row with a limit could not be measured.
const NOT_EVERYTHING: u8 = 4;

/// The most that a median may be, and beyond what it fails the check.
pub(crate) struct MedianLimit {
    most: f64,
    unit: &'static str,
    fails_beyond: f64,
}

impl MedianLimit {
    /// Beyond which the check fails.
    pub(crate) fn binding(most: f64, unit: &'static str) -> Self {
        Self {
            most,
            unit,
            fails_beyond: most,
        }
    }

    /// Only to be seen.
    pub(crate) fn none(unit: &'static str) -> Self {
        Self::binding(f64::INFINITY, unit)
    }

    /// A figure that this machine alone does not decide.
    pub(crate) fn lenient(most: f64, unit: &'static str, fails_beyond: f64) -> Self {
        Self {
            most,
            unit,
            fails_beyond,
        }
    }
}

/// Rows are printed as they are measured; what was missed is remembered.
pub(crate) struct Measurements {
    missed: Vec<String>,
    has_failed: bool,
    is_whole: bool,
}

impl Measurements {
    /// Prints its head.
    pub(crate) fn begin() -> Self {
        println!("| what | broker | median | least | most | wanted |");
        println!("|---|---|---|---|---|---|");
        Self {
            missed: Vec::new(),
            has_failed: false,
            is_whole: true,
        }
    }

    /// A row that cannot be measured here.
    pub(crate) fn leave_out(&mut self, what: &str, broker: &str, why: &str) {
        self.is_whole = false;
        self.missed
            .push(format!("not measured: {what} ({broker}): {why}"));
    }

    /// Prints the row of these samples, and remembers whether its median keeps to the limit.
    pub(crate) fn row(
        &mut self,
        what: &str,
        broker: &str,
        mut samples: Vec<f64>,
        limit: &MedianLimit,
    ) {
        samples.sort_by(f64::total_cmp);
        let median = samples[samples.len() / 2];
        let (most, unit) = (limit.most, limit.unit);
        let told = |figure: f64| match unit {
            "bytes" => format!("{figure:.0} {unit}"),
            _ => format!("{figure:.2} {unit}"),
        };
        let wanted = match most {
            f64::INFINITY => String::new(),
            _ => format!("<= {most} {unit}"),
        };
        println!(
            "| {what} | {broker} | {} | {} | {} | {wanted} |",
            told(median),
            told(samples[0]),
            told(samples[samples.len() - 1]),
        );
        // Also false for what is no number.
        let is_kept = median <= most;
        if !is_kept {
            let fails = median > limit.fails_beyond;
            let weight = if fails {
                "this fails the check"
            } else {
                "reported only: it depends on the machine, and on what else it does"
            };
            self.has_failed |= fails;
            self.missed.push(format!(
                "missed: {what} ({broker}): {}, wanted at most {most} {unit}; {weight}",
                told(median)
            ));
        }
    }

    /// Says what was missed, and ends the program with it.
    pub(crate) fn verdict(self) -> ExitCode {
        for line in &self.missed {
            println!("{line}");
        }
        match (self.has_failed, self.is_whole) {
            (true, _) => ExitCode::FAILURE,
            (false, false) => ExitCode::from(NOT_EVERYTHING),
            (false, true) => ExitCode::SUCCESS,
        }
    }
}
