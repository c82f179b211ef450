//! Runs the scenarios, prints what came of them, and holds the sums to what has been reached.

use super::bench::{Bench, Outcome};
use super::drawn::drawn;
use super::scenario::{Rule, Scenario};

const SCENARIOS: &str = include_str!("scenarios.txt");

/// How often each is run, with chance that starts elsewhere.
const SEEDS: u64 = 3;

/// So many scenarios are drawn.
const DRAWN: u64 = 100;

fn scenarios() -> Vec<Scenario> {
    SCENARIOS.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).map(Scenario::read).collect()
}

/// What came of one run.
struct Row {
    is_right: bool,
    /// Windows until the answer was right and stayed so.
    windows: usize,
    /// How often the estimate was sure at the end of a window, and how often it was right then.
    sure: (u32, u32),
    /// What was accepted in the second half, as a part of what a gate gets that knows the rule.
    used: f64,
    /// What was refused in the second half, as a part of what was sent.
    late_refused: f64,
    refused: u64,
    told: String,
}

/// What came of several runs.
#[derive(Default)]
struct Sums {
    runs: u32,
    right: u32,
    sure: (u32, u32),
    used: u32,
    quiet: u32,
}

impl Row {
    fn of(scenario: &Scenario, seed: u64) -> Self {
        let (of_gate, of_oracle) = (Bench::run(scenario, seed, false), Bench::run(scenario, seed, true));
        let Outcome { believed, refused_by, .. } = &of_gate;
        let at_ends = believed.iter().zip(refused_by);
        let right: Vec<bool> = at_ends.map(|(estimate, &refused)| scenario.is_right(estimate, refused)).collect();
        let sure = believed.iter().zip(&right).filter(|(estimate, _)| Scenario::is_sure(estimate));
        let last = believed.last().expect("a window");
        let sent = of_gate.late_accepted + of_gate.late_refused;
        Self {
            is_right: *right.last().expect("a window"),
            windows: right.iter().rposition(|right| !right).map_or(0, |last| last + 1),
            sure: sure.fold((0, 0), |sum, (_, right)| (sum.0 + 1, sum.1 + u32::from(*right))),
            used: of_gate.late_accepted as f64 / (of_oracle.late_accepted as f64).max(1.0),
            late_refused: of_gate.late_refused as f64 / (sent as f64).max(1.0),
            refused: of_gate.refused,
            told: format!(
                "{:?} {:?} {:?} {:?} p={:.3} [{}]",
                last.case,
                last.scope.kind,
                last.limit.map(|limit| (limit.max, limit.window)),
                last.certainty,
                last.probability,
                of_gate.explained.last().expect("a window"),
            ),
        }
    }

    fn keeps(&self, scenario: &Scenario) -> bool {
        self.late_refused <= 0.01 || matches!(scenario.rule, Rule::Random(_))
    }
}

impl Sums {
    fn add(&mut self, scenario: &Scenario, row: &Row) {
        self.runs += 1;
        self.right += u32::from(row.is_right);
        self.sure = (self.sure.0 + row.sure.0, self.sure.1 + row.sure.1);
        self.used += u32::from(row.used >= 0.95);
        self.quiet += u32::from(row.keeps(scenario));
    }

    fn print(&self) {
        let Self { runs, right, sure, used, quiet } = self;
        println!(
            "right {right} of {runs}, right where sure {} of {}, used 95 % {used}, refused at most 1 % {quiet}",
            sure.1, sure.0
        );
    }

    /// At least so many hundredths are right, and of those that are sure.
    fn expect(&self, right: u32, sure: u32) {
        assert!(self.right * 100 >= self.runs * right, "{} of {} are right", self.right, self.runs);
        assert!(self.sure.1 * 100 >= self.sure.0 * sure, "{} of {} sure ones are right", self.sure.1, self.sure.0);
    }
}

/// The median and the worst.
fn middle_and_worst<T: PartialOrd + Copy>(of: impl Iterator<Item = T>) -> (T, T) {
    let mut all: Vec<T> = of.collect();
    all.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
    (all[all.len() / 2], all[all.len() - 1])
}

#[test]
fn limits_are_told_apart_in_scenarios() {
    let (only, traced) = (std::env::var("ONLY").ok(), std::env::var_os("TRACE").is_some());
    let mut sums = Sums::default();
    println!("{:28} right sure and wrong, windows  refused  used %  late %   (median, worst of {SEEDS})", "");
    for scenario in scenarios() {
        if only.as_ref().is_some_and(|only| !scenario.name.contains(only)) {
            continue;
        }
        let rows: Vec<Row> = (0..SEEDS).map(|seed| Row::of(&scenario, seed)).collect();
        rows.iter().for_each(|row| sums.add(&scenario, row));
        let (windows, refused) = (
            middle_and_worst(rows.iter().map(|row| row.windows)),
            middle_and_worst(rows.iter().map(|row| row.refused)),
        );
        let (used, late) = (
            middle_and_worst(rows.iter().map(|row| -100.0 * row.used)),
            middle_and_worst(rows.iter().map(|row| 100.0 * row.late_refused)),
        );
        println!(
            "{:28} {}/{SEEDS}  {:2}  {:2} {:2}  {:4} {:4}  {:4.0} {:4.0}  {:4.1} {:4.1}",
            scenario.name,
            rows.iter().filter(|row| row.is_right).count(),
            rows.iter().map(|row| row.sure.0 - row.sure.1).sum::<u32>(),
            windows.0,
            windows.1,
            refused.0,
            refused.1,
            -used.0,
            -used.1,
            late.0,
            late.1,
        );
        rows.iter().filter(|row| traced || !row.is_right).for_each(|row| println!("    {}", row.told));
    }
    sums.print();
    if only.is_none() {
        sums.expect(95, 98);
    }
}

#[test]
fn limits_are_told_apart_in_drawn_scenarios() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let one = number("ONE");
    let mut sums = Sums::default();
    for seed in one.map_or(0..number("DRAWN").unwrap_or(DRAWN), |one| one..one + 1) {
        let scenario = drawn(seed);
        let row = Row::of(&scenario, seed);
        sums.add(&scenario, &row);
        let marks = [row.is_right, row.used >= 0.95, row.keeps(&scenario), row.sure.0 == row.sure.1];
        if marks.contains(&false) || one.is_some() {
            let mark = |at: usize, mark| if marks[at] { '.' } else { mark };
            let marks: String = [mark(0, 'W'), mark(1, 'u'), mark(2, 'r'), mark(3, 'S')].iter().collect();
            let Row { windows, refused, used, late_refused, told, .. } = row;
            let (used, late) = (used * 100.0, late_refused * 100.0);
            println!(
                "{marks} {}\n     windows {windows} refused {refused} used {used:.0} late {late:.1} {told}",
                scenario.name
            );
        }
    }
    sums.print();
    if one.is_none() {
        sums.expect(90, 98);
    }
}

/// What was spent before the estimator began to watch is not nothing, and teaches no amount.
#[test]
fn restart_in_full_window_costs_that_window_alone() {
    let scenario = Scenario::read("restart rate=300/6000 prefilled=1 load=0.9 expect=within_limits");
    for seed in 0..SEEDS {
        let row = Row::of(&scenario, seed);
        assert!(row.used >= 0.95, "used {:.2} of what was there: {}", row.used, row.told);
        assert!(row.refused <= 10, "{} refused", row.refused);
    }
}
