//! Deadlines of a shard in the order of time: a hierarchical timing wheel.
//!
//! Scheme 7 of Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987): eight wheels of 64 lists, of 1 ms,
//! 64 ms, 4 s ... each. Filing an entry and taking it out are O(1); an entry is moved at most seven times, inwards, before
//! its deadline. The lists run through the slots themselves.
//!
//! An entry stands where its deadline *or an earlier one* belongs: a write or touch that lengthens its life leaves it there,
//! and it is filed anew when its old turn comes. Overwriting an entry again and again costs the wheel nothing.

use crate::slab::{LIMIT, NIL, Slab};

const BITS: u32 = 6;
const LISTS: usize = 1 << BITS;
const LEVELS: usize = 8;
/// The last millisecond that the wheel can tell from later ones: in the year 10889.
const HORIZON: u64 = (1 << (BITS * 8)) - 1;

/// In a slot's `prev`: the entry is the first of the list with this number more. Above every slot number.
const HEAD: u32 = LIMIT;

#[derive(Debug)]
pub(crate) struct Wheel {
    heads: [[u32; LISTS]; LEVELS],
    /// Which lists of a level are not empty.
    occupied: [u64; LEVELS],
    /// All before this millisecond has been dealt with.
    time: u64,
    /// A list that is being emptied, over as many steps as it takes.
    draining: Option<(usize, usize)>,
}

#[expect(clippy::cast_possible_truncation, reason = "six bits")]
const fn digit(time: u64, level: usize) -> usize {
    (time >> (BITS * level as u32)) as usize % LISTS
}

impl Wheel {
    /// An empty wheel that stands at a millisecond.
    pub(crate) const fn new(time: u64) -> Wheel {
        Wheel { heads: [[NIL; LISTS]; LEVELS], occupied: [0; LEVELS], time, draining: None }
    }

    /// Files a slot that is not in the wheel under its deadline, in milliseconds.
    #[expect(clippy::cast_possible_truncation, reason = "level and list are small")]
    pub(crate) fn insert(&mut self, at: u32, deadline: u64, slab: &mut Slab) {
        let when = deadline.clamp(self.time.min(HORIZON), HORIZON);
        let apart = (when ^ self.time.min(HORIZON)) | 1;
        let level = ((63 - apart.leading_zeros()) / BITS) as usize;
        let list = digit(when, level);
        let head = std::mem::replace(&mut self.heads[level][list], at);
        self.occupied[level] |= 1 << list;
        let slot = slab.slot_mut(at);
        slot.next = head;
        slot.prev = HEAD + (level * LISTS + list) as u32;
        if head != NIL {
            slab.slot_mut(head).prev = at;
        }
    }

    /// Takes a slot out.
    pub(crate) fn remove(&mut self, at: u32, slab: &mut Slab) {
        let slot = slab.slot_mut(at);
        let next = std::mem::replace(&mut slot.next, NIL);
        let prev = std::mem::replace(&mut slot.prev, NIL);
        if prev == NIL {
            return;
        }
        if next != NIL {
            slab.slot_mut(next).prev = prev;
        }
        self.set_next(prev, next, slab);
    }

    /// Puts another slot, which has a copy of its links, in place of one.
    pub(crate) fn relocate(&mut self, to: u32, slab: &mut Slab) {
        let (next, prev) = (slab.slot(to).next, slab.slot(to).prev);
        if prev == NIL {
            return;
        }
        if next != NIL {
            slab.slot_mut(next).prev = to;
        }
        self.set_next(prev, to, slab);
    }

    fn set_next(&mut self, prev: u32, next: u32, slab: &mut Slab) {
        match prev.checked_sub(HEAD) {
            None => slab.slot_mut(prev).next = next,
            Some(list) => {
                let (level, list) = (list as usize / LISTS, list as usize % LISTS);
                self.heads[level][list] = next;
                if next == NIL {
                    self.occupied[level] &= !(1 << list);
                }
            }
        }
    }

    /// The next millisecond at which the wheel has something to do; no deadline in it is earlier.
    pub(crate) fn next_turn(&self) -> Option<u64> {
        if self.draining.is_some_and(|(level, list)| self.heads[level][list] != NIL) {
            return Some(self.time);
        }
        self.earliest().map(|(level, list)| self.turn_of(level, list))
    }

    /// The first list in time. Levels do not overlap: what is on a lower one comes before all of a higher one.
    fn earliest(&self) -> Option<(usize, usize)> {
        (0..LEVELS).find(|&level| self.occupied[level] != 0).map(|level| {
            let now = digit(self.time, level);
            #[expect(clippy::cast_possible_truncation, reason = "below 64")]
            let ahead = self.occupied[level].rotate_right(now as u32).trailing_zeros() as usize;
            (level, (now + ahead) % LISTS)
        })
    }

    fn turn_of(&self, level: usize, list: usize) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "below 8")]
        let shift = BITS * level as u32;
        let round = self.time >> shift >> BITS << BITS;
        ((round | list as u64) << shift).max(self.time)
    }

    /// The list whose turn has come by `now`: one that is being emptied, or else the first in time.
    fn due_list(&self, now: u64) -> Option<(usize, usize)> {
        let draining = self.draining.filter(|&(level, list)| self.heads[level][list] != NIL);
        draining.or_else(|| self.earliest().filter(|&(level, list)| self.turn_of(level, list) <= now))
    }

    /// Entries that [`pop`](Wheel::pop) gives next, in that order, after one of them or from the first: not all of them, but those of
    /// its next list.
    pub(crate) fn upcoming<'a>(
        &self,
        now: u64,
        after: Option<u32>,
        slab: &'a Slab,
    ) -> impl Iterator<Item = u32> + use<'a> {
        let first = || self.due_list(now).map_or(NIL, |(level, list)| self.heads[level][list]);
        let is_one = |at: u32| (at != NIL).then_some(at);
        let first = after.map_or_else(first, |at| slab.slot(at).next);
        std::iter::successors(is_one(first), move |&at| is_one(slab.slot(at).next))
    }

    /// The next entry whose turn has come by `now`, taken out of the wheel. The caller looks at its deadline, and files it
    /// again if that lies ahead. Each call costs O(1).
    pub(crate) fn pop(&mut self, now: u64, slab: &mut Slab) -> Option<u32> {
        let next = self.due_list(now);
        let Some((level, list)) = next else {
            self.draining = None;
            self.time = self.time.max(now);
            return None;
        };
        if self.draining != next {
            self.draining = next;
            self.time = self.turn_of(level, list);
        }
        let at = self.heads[level][list];
        self.remove(at, slab);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const START: u64 = 1_767_225_600_000;

    /// Up to a few milliseconds or many years.
    fn far(random: &mut fastrand::Rng) -> u64 {
        let bits = random.u32(1..42);
        random.u64(0..1 << bits)
    }

    fn slab_with(entries: usize) -> Slab {
        let mut slab = Slab::new();
        (0..entries).for_each(|_| assert!(slab.insert().is_some()));
        slab
    }

    /// Runs to `now` like the store does, and returns which expired.
    fn run(wheel: &mut Wheel, slab: &mut Slab, deadlines: &[u64], now: u64, mut budget: usize) -> Vec<u32> {
        let mut expired = Vec::new();
        while budget > 0
            && let Some(at) = wheel.pop(now, slab)
        {
            budget -= 1;
            let deadline = deadlines[at as usize];
            if deadline <= now {
                expired.push(at);
            } else {
                wheel.insert(at, deadline, slab);
            }
        }
        expired
    }

    #[test]
    fn t6_each_expires_at_its_deadline_and_not_before() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..200 {
            let deadlines: Vec<u64> = (0..60).map(|_| START + 1 + far(&mut random)).collect();
            let mut slab = slab_with(deadlines.len());
            let mut wheel = Wheel::new(START);
            let mut model = BTreeMap::new();
            for (at, &deadline) in (0u32..).zip(&deadlines) {
                wheel.insert(at, deadline, &mut slab);
                model.entry(deadline).or_insert_with(Vec::new).push(at);
            }
            let mut now = START;
            while let Some((&deadline, _)) = model.first_key_value() {
                assert!(wheel.next_turn().is_some_and(|turn| turn <= deadline), "{deadline}");
                // Sometimes just before a deadline, sometimes far beyond several.
                now = match random.u8(0..3) {
                    0 => now.max(deadline - 1),
                    1 => deadline,
                    _ => deadline + far(&mut random),
                };
                let mut expired = Vec::new();
                // In steps of random size: a step may end within a list.
                while wheel.next_turn().is_some_and(|turn| turn <= now) {
                    expired.extend(run(&mut wheel, &mut slab, &deadlines, now, random.usize(1..5)));
                }
                expired.sort_unstable();
                let later = model.split_off(&(now + 1));
                let mut due: Vec<u32> = std::mem::replace(&mut model, later).into_values().flatten().collect();
                due.sort_unstable();
                assert_eq!(expired, due);
            }
            assert_eq!(wheel.next_turn(), None);
        }
    }

    #[test]
    fn what_is_upcoming_is_what_is_popped_next() {
        let mut random = fastrand::Rng::with_seed(4);
        let deadlines: Vec<u64> = (0..500).map(|_| START + random.u64(1..300)).collect();
        let mut slab = slab_with(deadlines.len());
        let mut wheel = Wheel::new(START);
        (0u32..).zip(&deadlines).for_each(|(at, &deadline)| wheel.insert(at, deadline, &mut slab));
        let mut popped = 0;
        for now in START..START + 300 {
            loop {
                let told: Vec<u32> = wheel.upcoming(now, None, &slab).collect();
                // From a part of a list, too.
                let some = told.len().min(random.usize(1..4));
                for &at in &told[..some] {
                    assert_eq!(wheel.pop(now, &mut slab), Some(at));
                    if deadlines[at as usize] > now {
                        wheel.insert(at, deadlines[at as usize], &mut slab);
                    } else {
                        popped += 1;
                    }
                }
                if told.is_empty() {
                    assert_eq!(wheel.pop(now, &mut slab), None);
                    break;
                }
            }
        }
        assert_eq!(popped, 500);
    }

    #[test]
    fn lengthened_lives_are_filed_anew_when_their_old_turn_comes() {
        let mut slab = slab_with(1);
        let mut wheel = Wheel::new(START);
        wheel.insert(0, START + 10, &mut slab);
        let deadlines = [START + 5000];
        assert_eq!(run(&mut wheel, &mut slab, &deadlines, START + 4999, 99), []);
        assert_eq!(run(&mut wheel, &mut slab, &deadlines, START + 5000, 99), [0]);
    }

    #[test]
    fn entries_can_be_taken_out_of_any_list() {
        let deadlines: Vec<u64> = (0..3000).map(|n| START + 1 + n * n % 977 * 13).collect();
        let mut slab = slab_with(deadlines.len());
        let mut wheel = Wheel::new(START);
        for (at, &deadline) in (0..).zip(&deadlines) {
            wheel.insert(at, deadline, &mut slab);
        }
        (0..3000).filter(|at| at % 3 > 0).for_each(|at| wheel.remove(at, &mut slab));
        assert!(slab.slot(1).prev == NIL && slab.slot(3).prev != NIL);
        let expired = run(&mut wheel, &mut slab, &deadlines, START + 100_000, usize::MAX);
        assert_eq!(expired.len(), 1000);
        assert!(expired.iter().all(|at| at % 3 == 0));
        assert_eq!(wheel.occupied, [0; LEVELS]);
    }

    #[test]
    fn t4_the_longest_ttl_fits() {
        let longest = START + 3_155_760_000_000;
        let deadlines = [longest, u64::MAX];
        let mut slab = slab_with(2);
        let mut wheel = Wheel::new(START);
        wheel.insert(0, longest, &mut slab);
        wheel.insert(1, u64::MAX, &mut slab);
        assert_eq!(run(&mut wheel, &mut slab, &deadlines, longest - 1, 999), []);
        assert_eq!(run(&mut wheel, &mut slab, &deadlines, longest, 999), [0]);
    }
}
