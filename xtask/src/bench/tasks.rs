//! Which slices are measured how often, and in which order.

use super::slices::Slice;

/// As many runs as there can be.
pub(super) const RUNS: u32 = 9;
/// How long a batch may take, in seconds.
const BATCH: u32 = 125;

/// A slice in one of its runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) slice: Slice,
    pub(super) run: u32,
}

impl Task {
    pub(super) fn named(&self) -> String {
        format!("{}, run {}", self.slice.path(), self.run)
    }
}

/// The first run of all slices, then the second of those that are repeated, and so on: what a machine does for a while hits one run, not all
/// of a slice.
pub(super) fn tasks(slices: &[Slice], runs: u32) -> Vec<Task> {
    let of = |run| slices.iter().filter(move |slice| run == 1 || slice.repeated).map(move |&slice| Task { slice, run });
    (1..=runs).flat_map(of).collect()
}

/// About how long some tasks take, in seconds.
pub(super) fn seconds(tasks: &[Task]) -> u32 {
    tasks.iter().map(|task| task.slice.seconds).sum()
}

/// Tasks of one run one after the other, as many as fit into a batch.
pub(super) fn batches(tasks: &[Task]) -> Vec<Vec<Task>> {
    let mut batches: Vec<Vec<Task>> = Vec::new();
    for &task in tasks {
        let fits = |batch: &&mut Vec<Task>| batch[0].run == task.run && seconds(batch) + task.slice.seconds <= BATCH;
        match batches.last_mut().filter(fits) {
            Some(batch) => batch.push(task),
            None => batches.push(vec![task]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::slices::SLICES;

    #[test]
    fn what_is_held_to_a_target_is_repeated() {
        let all = tasks(SLICES, 3);
        let runs = |name: &str| -> Vec<u32> {
            all.iter().filter(|task| task.slice.path() == name).map(|task| task.run).collect()
        };
        assert_eq!((runs("inproc/get"), runs("inproc/memory")), (vec![1, 2, 3], vec![1]));
        assert!(all.is_sorted_by_key(|task| task.run));
        assert_eq!(tasks(SLICES, 1).len(), SLICES.len());
    }

    #[test]
    fn a_batch_is_short_and_of_one_run() {
        let all = tasks(SLICES, 3);
        let batches = batches(&all);
        assert_eq!(batches.iter().map(|batch| seconds(batch)).sum::<u32>(), seconds(&all));
        for batch in &batches {
            assert!(seconds(batch) <= BATCH && batch.iter().all(|task| task.run == batch[0].run), "{batch:?}");
        }
        assert!(batches.len() > 3 && batches.len() < all.len());
    }
}
