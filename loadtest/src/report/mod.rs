//! What is told at the end: a table, JSON, and a page with plots.

mod html;
mod json;
mod plot;
mod table;

use std::{fs, sync::Arc};

use anyhow::{Context, Result};

use crate::{
    options::Options,
    run::{
        Outcome,
        compare::{Comparison, Ratio},
    },
};

/// Percentiles that are told.
const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 100.0];

/// The runs of one command, and how two targets compare.
pub struct Report {
    options: Arc<Options>,
    /// In the order they were made.
    pub outcomes: Vec<Outcome>,
    ratios: Vec<Ratio>,
    /// Why a comparison has fewer rounds than were asked for.
    pub broken_off: Option<String>,
}

impl Report {
    pub fn of_one(options: &Arc<Options>, outcome: Outcome) -> Self {
        let (options, ratios) = (Arc::clone(options), Vec::new());
        Self { options, outcomes: vec![outcome], ratios, broken_off: None }
    }

    pub fn of_two(options: &Arc<Options>, comparison: Comparison) -> Self {
        let ratios = comparison.ratios();
        let Comparison { a, b, broken_off } = comparison;
        let mut b = b.into_iter();
        // The last A may be without its B.
        let outcomes = a.into_iter().flat_map(|a| std::iter::once(a).chain(b.next())).collect();
        Self { options: Arc::clone(options), outcomes, ratios, broken_off }
    }

    pub fn print(&self) {
        print!("{}", table::render(self));
    }

    /// Writes the files that the options ask for.
    pub fn write_files(&self) -> Result<()> {
        if let Some(path) = &self.options.json {
            fs::write(path, format!("{:#}\n", json::render(self)))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if let Some(path) = &self.options.html {
            fs::write(path, html::render(self))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Whose turn a run was, where two servers took turns.
    pub fn turn(&self, index: usize) -> String {
        if self.outcomes.len() < 2 {
            return String::new();
        }
        format!("{}{}: ", ["A", "B"][index % 2], index / 2 + 1)
    }

    fn title(&self) -> String {
        format!("{} ({})", self.options.scenario.name(), self.options.format.name())
    }
}

/// With as many digits as say something.
fn figure(value: f64) -> String {
    if value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
