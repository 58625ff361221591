//! The same measured several times: a run in the middle, and how far the runs are apart.
//!
//! Within a run, rounds that are interleaved share what the machine does. From run to run that differs: what holds in each of several runs
//! is no accident of one.

use crate::lines::{Line, Percentiles};

/// What a figure is a figure of, in whichever run.
fn is_same(one: &Line, other: &Line) -> bool {
    let of = |line: &Line| (line.x.map(f64::to_bits), line.percentiles.is_some());
    (&one.section, &one.row, &one.contender, of(one)) == (&other.section, &other.row, &other.contender, of(other))
}

/// What is compared: the ratio, where there is one and it is no point of a curve; else the value.
fn counted(line: &Line) -> f64 {
    line.ratio.filter(|_| line.x.is_none()).map_or(line.value, |ratio| ratio.median)
}

/// Each figure once, as the run in the middle has it: the run with the median ratio, or with the median value where nothing was compared. The
/// spread of its ratio is then that of the runs, lowest to highest, and not that of the rounds in one. Percentiles are the medians over
/// the runs, and the worst operation is the worst of all.
#[must_use]
pub fn middle(lines: &[Line]) -> Vec<Line> {
    let mut told: Vec<Line> = Vec::new();
    for line in lines {
        if told.iter().any(|other| is_same(other, line)) {
            continue;
        }
        let mut runs: Vec<&Line> = lines.iter().filter(|other| is_same(other, line)).collect();
        runs.sort_by(|one, other| counted(one).total_cmp(&counted(other)).then(one.value.total_cmp(&other.value)));
        told.push(in_the_middle(&runs));
    }
    told
}

/// Of runs in the order of what is compared.
fn in_the_middle(runs: &[&Line]) -> Line {
    let mut line = runs[runs.len() / 2].clone();
    if runs.len() < 2 {
        return line;
    }
    if let Some(ratio) = &mut line.ratio {
        let medians = || runs.iter().filter_map(|run| run.ratio).map(|ratio| ratio.median);
        ratio.low = medians().fold(f64::INFINITY, f64::min);
        ratio.high = medians().fold(0.0, f64::max);
    }
    if let Some(percentiles) = &mut line.percentiles {
        let all = |of: fn(&Percentiles) -> f64| -> Vec<f64> {
            runs.iter().filter_map(|run| run.percentiles.as_ref()).map(of).collect()
        };
        let median = |of: fn(&Percentiles) -> f64| crate::median(&all(of));
        let (p50, p99, p999) = (median(|of| of.p50), median(|of| of.p99), median(|of| of.p999));
        let worst = all(|of| of.worst).into_iter().fold(0.0, f64::max);
        *percentiles = Percentiles { p50, p99, p999, worst };
    }
    line
}

/// The lines of each run, the first run first.
#[must_use]
pub fn each(lines: &[Line]) -> Vec<Vec<Line>> {
    let mut runs: Vec<u32> = lines.iter().map(|line| line.run).collect();
    runs.sort_unstable();
    runs.dedup();
    runs.into_iter().map(|run| lines.iter().filter(|line| line.run == run).cloned().collect()).collect()
}

/// One sentence for each figure that both measurements have and that differs by more than a tenth, which is what noise does, and by more than
/// the runs of the earlier one differ among themselves. Ratios are compared where there are any, for they outlast a change of the
/// machine; else values.
#[must_use]
pub fn differences(before: &[Line], now: &[Line]) -> Vec<String> {
    let mut told = Vec::new();
    let then = middle(before);
    for line in middle(now) {
        let Some(old) = then.iter().find(|old| is_same(old, &line)) else { continue };
        let of = |line: &Line| line.ratio.map_or(line.value, |ratio| ratio.median);
        let what = if old.ratio.is_some() { "times as fast" } else { line.unit.as_str() };
        let change = of(&line) / of(old) - 1.0;
        let mut runs = before.iter().filter(|run| is_same(run, &line)).map(of);
        let (is_above, is_below) = (runs.clone().all(|run| of(&line) > run), runs.all(|run| of(&line) < run));
        if change.abs() > 0.1 && (is_above || is_below) {
            let x = line.x.map(|x| format!(" at {x}")).unwrap_or_default();
            let percent = change * 100.0;
            told.push(format!(
                "{}: {}{x}, {}: {:.2} -> {:.2} {what} ({percent:+.0} %)",
                line.section,
                line.row,
                line.contender,
                of(old),
                of(&line)
            ));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::read;

    fn line(ratio: f64, run: u32) -> String {
        format!(
            r#"{{"section":"s","row":"get","contender":"moka","value":9,"unit":"ns","ratio":{ratio},"low":1,"lower":1,"upper":9,"high":9,"rounds":5,"run":{run}}}"#
        )
    }

    fn page(value: f64, run: u32) -> String {
        format!(r#"{{"section":"s","row":"page","contender":"us","value":{value},"unit":"us","x":1000,"run":{run}}}"#)
    }

    fn timed(p50: f64, worst: f64, run: u32) -> String {
        format!(
            r#"{{"section":"s","row":"get","contender":"moka","value":{p50},"unit":"ns","p50":{p50},"p99":9,"p999":9,"worst":{worst},"run":{run}}}"#
        )
    }

    fn lines(texts: &[String]) -> Vec<Line> {
        read(&texts.join("\n")).unwrap()
    }

    #[test]
    fn the_run_in_the_middle_is_told_with_the_range_of_all() {
        let all = [(5.0, 30.0), (4.0, 20.0), (4.5, 10.0)];
        let text = (1..)
            .zip(all)
            .flat_map(|(run, (ratio, value))| [line(ratio, run), page(value, run), timed(value, value, run)]);
        let told = middle(&lines(&text.collect::<Vec<_>>()));
        assert_eq!(told.len(), 3);
        let ratio = told[0].ratio.unwrap();
        assert_eq!((told[0].run, ratio.median, ratio.low, ratio.high), (3, 4.5, 4.0, 5.0));
        assert_eq!((told[1].run, told[1].value), (2, 20.0));
        let percentiles = told[2].percentiles.unwrap();
        assert_eq!((percentiles.p50, percentiles.worst), (20.0, 30.0));
        // A single run is told as it was, with the spread of its rounds. One from before runs had numbers is the first.
        let one = read(&line(5.0, 1).replace(",\"run\":1", "")).unwrap();
        assert_eq!((one[0].run, middle(&one)), (1, one.clone()));
    }

    #[test]
    fn runs_are_told_apart() {
        let runs = each(&lines(&[line(1.0, 2), line(2.0, 1), page(1.0, 1)]));
        assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert!(each(&[]).is_empty());
    }

    #[test]
    fn what_differs_by_more_than_a_tenth_is_told() {
        let run = |ratio, value| lines(&[line(ratio, 1), page(value, 1)]);
        let before = run(5.0, 10.0);
        assert!(differences(&before, &run(4.6, 10.5)).is_empty());
        assert_eq!(
            differences(&before, &run(4.0, 20.0)),
            ["s: get, moka: 5.00 -> 4.00 times as fast (-20 %)", "s: page at 1000, us: 10.00 -> 20.00 us (+100 %)"]
        );
        // What only one has is no difference.
        assert!(differences(&[], &before).is_empty());
    }

    #[test]
    fn what_the_runs_differ_by_anyway_is_no_difference() {
        let three = |ratios: [f64; 3]| lines(&[line(ratios[0], 1), line(ratios[1], 2), line(ratios[2], 3)]);
        let before = three([3.0, 5.0, 6.0]);
        assert!(differences(&before, &three([3.5, 3.5, 5.0])).is_empty());
        // The medians are compared: 5 with 2.5.
        assert_eq!(differences(&before, &three([9.0, 2.5, 2.0])), ["s: get, moka: 5.00 -> 2.50 times as fast (-50 %)"]);
    }
}
