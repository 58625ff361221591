//! Does the conformance suite see what it is there to see? Stores that are wrong in one way each, and the case that must say so.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use store_core::conformance::{BackendHarness, Harness, Shape, cases};
use store_core::{
    BackendInfo, BackendStats, BatchWrite, ClearStep, Clock, Condition, Context, Entry, Error, Increment, Item, Key,
    Kind, Lifetime, List, ListPage, Payload, Put, Result, Scan, ScanCursor, ScanPage, Store, TryStore, Ttl, Version,
    Want, Written, async_trait, codec,
};
use store_examples::custom_backend::{ShelfBackend, ShelfOptions};

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    ExpiresEarly,
    ExpiresLate,
    TtlInWholeSeconds,
    OverwriteInheritsTtl,
    KeepTtlIgnored,
    IncrementDropsTtl,
    IncrementRenewsTtl,
    TouchRevives,
    DeleteCountsExpired,
    ClearCountsExpired,
    PurgeTakesLive,
    KeysFoldCase,
    KeysEndAtNul,
    PrefixesAreGlobs,
    StoresShareKeys,
    ClearTakesOtherStores,
    VersionReusedAfterDelete,
    VersionsInOrder,
    TouchChangesVersion,
    IfAbsentIgnored,
    IfAbsentRaces,
    IfVersionCreates,
    ConflictWrites,
    IncrementLosesUpdates,
    IncrementWrapsAround,
    IncrementParsesText,
    TakeRaces,
    TakeLeaves,
    DeleteManyCountsTwice,
    GetManySorted,
    SetManyKeepsFirst,
    SetManyDropsLast,
    ListUnordered,
    ListSkipsAtPageBorders,
    ListRepeatsAtPageBorders,
    ListAlwaysHasMore,
    ScanMissesEntries,
    OverwriteNeedsRoom,
    ExpiredTakeRoom,
    ClosedLooksEmpty,
}

/// A correct store that is made wrong on the way in or out.
#[derive(Debug)]
struct Broken {
    inner: Arc<dyn Store>,
    bug: Bug,
    /// What was written and not deleted, expired or not.
    shadow: Mutex<HashMap<Vec<u8>, Shadow>>,
    stores: Arc<Mutex<Vec<Arc<dyn Store>>>>,
}

#[derive(Clone, Debug)]
struct Shadow {
    value: Vec<u8>,
    writes: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Long enough for another thread to come in between.
fn dawdle() {
    std::thread::sleep(Duration::from_micros(50));
}

impl Broken {
    fn is(&self, bug: Bug) -> bool {
        self.bug == bug
    }

    fn key(&self, key: Key<'_>) -> Vec<u8> {
        let bytes = key.as_bytes();
        match self.bug {
            Bug::KeysFoldCase => bytes.to_ascii_lowercase(),
            Bug::KeysEndAtNul => match bytes.iter().position(|byte| *byte == 0) {
                Some(end) if end > 0 => bytes[..end].to_vec(),
                _ => bytes.to_vec(),
            },
            _ => bytes.to_vec(),
        }
    }

    fn lifetime(&self, lifetime: Lifetime) -> Lifetime {
        let Some(millis) = lifetime.as_millis() else { return lifetime };
        let millis = match self.bug {
            Bug::ExpiresEarly => (millis.get() - 1).max(1),
            Bug::ExpiresLate => millis.get() + 5,
            Bug::TtlInWholeSeconds => (millis.get() / 1000).max(1) * 1000,
            _ => return lifetime,
        };
        Lifetime::after(Duration::from_millis(millis)).unwrap()
    }

    fn prefix<'a>(&self, prefix: &'a [u8]) -> &'a [u8] {
        match prefix.iter().position(|byte| *byte == b'*') {
            Some(star) if self.is(Bug::PrefixesAreGlobs) => &prefix[..star],
            _ => prefix,
        }
    }

    fn remember(&self, key: &[u8], value: &[u8]) {
        let mut shadow = lock(&self.shadow);
        let entry = shadow.entry(key.to_vec()).or_insert(Shadow { value: Vec::new(), writes: 0 });
        entry.value = value.to_vec();
        entry.writes += 1;
    }

    fn forget(&self, key: &[u8]) -> Option<Shadow> {
        lock(&self.shadow).remove(key)
    }

    /// The version as the bug shows it.
    fn shown(&self, key: &[u8], version: Version) -> Version {
        let writes = lock(&self.shadow).get(key).map_or(0, |shadow| shadow.writes);
        match self.bug {
            Bug::VersionReusedAfterDelete => {
                Version::from_u64(BuildHasherDefault::<DefaultHasher>::default().hash_one((key, writes)))
            }
            Bug::VersionsInOrder => Version::from_u64(writes),
            _ => version,
        }
    }

    /// The real version, from one as the bug shows it.
    async fn real(&self, cx: &Context, key: &[u8], version: &Version) -> Result<Version> {
        match self.inner.entry(cx, Key::new(key)?).await? {
            Some(entry) if self.shown(key, entry.version.clone()) == *version => Ok(entry.version),
            _ => Ok(Version::parse("another")),
        }
    }

    fn shown_items(&self, items: Vec<Item>) -> Vec<Item> {
        let show = |mut item: Item| {
            item.entry = item.entry.map(|entry| Entry { version: self.shown(&item.key, entry.version), ..entry });
            item
        };
        items.into_iter().map(show).collect()
    }

    fn full(&self) -> bool {
        let info = self.inner.info();
        info.max_entries.is_some() && info.entries >= info.max_entries
    }
}

#[async_trait]
impl Store for Broken {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }

    fn stats(&self) -> BackendStats {
        self.inner.stats()
    }
    fn immediate(self: Arc<Self>) -> Option<Arc<dyn TryStore>> {
        None
    }

    async fn get(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        match self.inner.get(cx, Key::new(&self.key(key))?).await {
            Err(error) if self.is(Bug::ClosedLooksEmpty) && error.kind() == Kind::Unavailable => Ok(None),
            answer => answer,
        }
    }

    async fn has(&self, cx: &Context, key: Key<'_>) -> Result<bool> {
        self.inner.has(cx, Key::new(&self.key(key))?).await
    }

    async fn entry(&self, cx: &Context, key: Key<'_>) -> Result<Option<Entry>> {
        let key = self.key(key);
        let entry = self.inner.entry(cx, Key::new(&key)?).await?;
        Ok(entry.map(|entry| Entry { version: self.shown(&key, entry.version), ..entry }))
    }

    async fn ttl(&self, cx: &Context, key: Key<'_>) -> Result<Option<Ttl>> {
        self.inner.ttl(cx, Key::new(&self.key(key))?).await
    }

    async fn put(&self, cx: &Context, key: Key<'_>, value: &[u8], put: Put<'_>) -> Result<Written> {
        let bytes = self.key(key);
        let key = Key::new(&bytes)?;
        let mut put = Put { lifetime: self.lifetime(put.lifetime), ..put };
        let version = match put.condition {
            Condition::IfVersion(version) => Some(self.real(cx, &bytes, version).await?),
            _ => None,
        };
        if let Some(version) = &version {
            put.condition = Condition::IfVersion(version);
        }
        match self.bug {
            Bug::OverwriteInheritsTtl => put.keep_ttl = true,
            Bug::KeepTtlIgnored => put.keep_ttl = false,
            Bug::IfAbsentIgnored if put.condition == Condition::IfAbsent => put.condition = Condition::Always,
            Bug::IfAbsentRaces if put.condition == Condition::IfAbsent => {
                if self.inner.has(cx, key).await? {
                    return Err(Error::already_exists());
                }
                dawdle();
                put.condition = Condition::Always;
            }
            Bug::IfVersionCreates if !self.inner.has(cx, key).await? => put.condition = Condition::Always,
            Bug::OverwriteNeedsRoom if self.full() => return Err(Error::capacity("full")),
            Bug::ExpiredTakeRoom => {
                let shadow = lock(&self.shadow);
                let room = self.inner.info().max_entries.unwrap_or(u64::MAX);
                if !shadow.contains_key(&bytes) && shadow.len() as u64 >= room {
                    return Err(Error::capacity("full"));
                }
            }
            _ => {}
        }
        let answer = self.inner.put(cx, key, value, put).await;
        if self.is(Bug::ConflictWrites) && answer.as_ref().is_err_and(|error| error.kind() == Kind::Conflict) {
            self.inner.put(cx, key, value, Put::always(Lifetime::NEVER)).await?;
        }
        let written = answer?;
        self.remember(&bytes, value);
        Ok(Written { version: self.shown(&bytes, written.version), ..written })
    }

    async fn delete(&self, cx: &Context, key: Key<'_>, if_version: Option<&Version>) -> Result<bool> {
        let bytes = self.key(key);
        let version = match if_version {
            Some(version) => Some(self.real(cx, &bytes, version).await?),
            None => None,
        };
        let deleted = self.inner.delete(cx, Key::new(&bytes)?, version.as_ref()).await?;
        let known = self.forget(&bytes).is_some();
        Ok(deleted || (known && self.is(Bug::DeleteCountsExpired)))
    }

    async fn touch(
        &self,
        cx: &Context,
        key: Key<'_>,
        lifetime: Lifetime,
        if_version: Option<&Version>,
    ) -> Result<bool> {
        let bytes = self.key(key);
        let version = match if_version {
            Some(version) => Some(self.real(cx, &bytes, version).await?),
            None => None,
        };
        let touched = self.inner.touch(cx, Key::new(&bytes)?, self.lifetime(lifetime), version.as_ref()).await?;
        let put = Put { lifetime, keep_ttl: true, condition: Condition::Always };
        let shadow = lock(&self.shadow).get(&bytes).cloned();
        if let Some(shadow) = shadow
            && ((!touched && self.is(Bug::TouchRevives)) || (touched && self.is(Bug::TouchChangesVersion)))
        {
            self.inner.put(cx, Key::new(&bytes)?, &shadow.value, put).await?;
            return Ok(true);
        }
        Ok(touched)
    }

    async fn get_and_touch(&self, cx: &Context, key: Key<'_>, lifetime: Lifetime) -> Result<Option<Payload>> {
        self.inner.get_and_touch(cx, Key::new(&self.key(key))?, self.lifetime(lifetime)).await
    }

    async fn take(&self, cx: &Context, key: Key<'_>) -> Result<Option<Payload>> {
        let bytes = self.key(key);
        let key = Key::new(&bytes)?;
        let taken = match self.bug {
            Bug::TakeLeaves => self.inner.get(cx, key).await?,
            Bug::TakeRaces => {
                let found = self.inner.get(cx, key).await?;
                dawdle();
                self.inner.delete(cx, key, None).await?;
                found
            }
            _ => self.inner.take(cx, key).await?,
        };
        self.forget(&bytes);
        Ok(taken)
    }

    async fn increment(&self, cx: &Context, key: Key<'_>, by: Increment) -> Result<i64> {
        let bytes = self.key(key);
        let key = Key::new(&bytes)?;
        let by = Increment { lifetime: self.lifetime(by.lifetime), ..by };
        let put = Put { lifetime: by.lifetime, keep_ttl: true, condition: Condition::Always };
        let found = self.inner.get(cx, key).await?;
        let number = found.as_ref().and_then(|value| codec::integer(value)).unwrap_or(by.initial);
        let text = found.as_ref().and_then(|value| codec::decode::<String>(value).ok());
        let replacement = match self.bug {
            Bug::IncrementLosesUpdates => {
                dawdle();
                number.checked_add(by.delta).filter(|_| text.is_none())
            }
            Bug::IncrementWrapsAround => Some(number.wrapping_add(by.delta)).filter(|_| text.is_none()),
            Bug::IncrementParsesText => text.and_then(|text| text.parse::<i64>().ok()).map(|number| number + by.delta),
            _ => None,
        };
        let sum = match replacement {
            Some(sum) => {
                self.inner.put(cx, key, &codec::encode_integer(sum), put).await?;
                sum
            }
            None => self.inner.increment(cx, key, by).await?,
        };
        self.remember(&bytes, &codec::encode_integer(sum));
        match self.bug {
            Bug::IncrementDropsTtl => drop(self.inner.touch(cx, key, Lifetime::NEVER, None).await?),
            Bug::IncrementRenewsTtl => drop(self.inner.touch(cx, key, by.lifetime, None).await?),
            _ => {}
        }
        Ok(sum)
    }

    async fn get_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<Option<Payload>>> {
        let mut keys: Vec<Vec<u8>> = keys.iter().map(|key| self.key(*key)).collect();
        if self.is(Bug::GetManySorted) {
            keys.sort();
        }
        let keys = keys.iter().map(Key::new).collect::<Result<Vec<_>>>()?;
        self.inner.get_many(cx, &keys).await
    }

    async fn set_many(&self, cx: &Context, items: &[BatchWrite<'_>]) -> Result<()> {
        let kept = if self.is(Bug::SetManyDropsLast) && items.len() > 1 { &items[..items.len() - 1] } else { items };
        for (index, item) in kept.iter().enumerate() {
            if self.is(Bug::SetManyKeepsFirst) && items[..index].iter().any(|earlier| earlier.key == item.key) {
                continue;
            }
            self.put(cx, item.key, item.value, Put::always(item.lifetime)).await?;
        }
        Ok(())
    }

    async fn delete_many(&self, cx: &Context, keys: &[Key<'_>]) -> Result<Vec<bool>> {
        let mut live = Vec::new();
        let mut deleted = Vec::new();
        for key in keys {
            live.push(self.has(cx, *key).await?);
        }
        for key in keys {
            deleted.push(self.delete(cx, *key, None).await?);
        }
        Ok(if self.is(Bug::DeleteManyCountsTwice) { live } else { deleted })
    }

    async fn list(&self, cx: &Context, list: List<'_>) -> Result<ListPage> {
        let mut list = List { prefix: self.prefix(list.prefix), ..list };
        if self.is(Bug::ListRepeatsAtPageBorders) {
            // From the position on, where it should be from after the position on.
            list.after = list.after.map(|after| &after[..after.len() - 1]);
        }
        let mut page = self.inner.list(cx, list).await?;
        page.items = self.shown_items(page.items);
        match self.bug {
            Bug::ListUnordered => page.items.reverse(),
            Bug::ListAlwaysHasMore if page.items.len() == list.limit => {
                page.resume = page.items.last().map(|item| Box::from(&*item.key));
            }
            Bug::ListSkipsAtPageBorders => {
                if let Some(resume) = &page.resume {
                    let next = List { after: Some(resume), limit: 1, want: Want::Keys, ..list };
                    page.resume = self.inner.list(cx, next).await?.items.pop().map(|item| item.key.into());
                }
            }
            _ => {}
        }
        Ok(page)
    }

    async fn scan(&self, cx: &Context, scan: Scan<'_>) -> Result<ScanPage> {
        let mut page = self.inner.scan(cx, Scan { prefix: self.prefix(scan.prefix), ..scan }).await?;
        page.items = self.shown_items(page.items);
        if self.is(Bug::ScanMissesEntries) && page.items.len() > 1 {
            page.items.pop();
        }
        Ok(page)
    }

    async fn clear(&self, cx: &Context, prefix: &[u8], cursor: Option<&ScanCursor>) -> Result<ClearStep> {
        let prefix = self.prefix(prefix);
        if self.is(Bug::ClearTakesOtherStores) {
            let stores = lock(&self.stores).clone();
            for store in stores.iter().filter(|store| !Arc::ptr_eq(store, &self.inner)) {
                store.clear(cx, prefix, None).await?;
            }
        }
        let mut step = self.inner.clear(cx, prefix, cursor).await?;
        let mut shadow = lock(&self.shadow);
        let before = shadow.len();
        shadow.retain(|key, _| !key.starts_with(prefix));
        if self.is(Bug::ClearCountsExpired) {
            step.deleted = step.deleted.max((before - shadow.len()) as u64);
        }
        Ok(step)
    }

    async fn purge_expired(&self, max: usize) -> Result<usize> {
        let freed = self.inner.purge_expired(max).await?;
        if self.is(Bug::PurgeTakesLive) {
            let all = Scan { prefix: b"", cursor: None, limit: 10, want: Want::Entries };
            for item in self.inner.scan(&Context::none(), all).await?.items {
                if item.entry.is_some_and(|entry| entry.ttl != Ttl::Never) {
                    self.inner.delete(&Context::none(), Key::new(&*item.key)?, None).await?;
                }
            }
        }
        Ok(freed)
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    async fn flush(&self) -> Result<()> {
        self.inner.flush().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

struct BrokenHarness {
    harness: BackendHarness<ShelfBackend>,
    bug: Bug,
    stores: Arc<Mutex<Vec<Arc<dyn Store>>>>,
}

impl BrokenHarness {
    fn new(bug: Bug) -> BrokenHarness {
        let harness = BackendHarness::new(ShelfBackend, ShelfOptions::default())
            .limited(|max_entries| ShelfOptions { max_entries: Some(max_entries) });
        BrokenHarness { harness, bug, stores: Arc::default() }
    }

    fn broken(&self, inner: Arc<dyn Store>) -> Arc<dyn Store> {
        let (bug, stores) = (self.bug, Arc::clone(&self.stores));
        lock(&stores).push(Arc::clone(&inner));
        Arc::new(Broken { inner, bug, shadow: Mutex::default(), stores })
    }
}

#[async_trait]
impl Harness for BrokenHarness {
    async fn open(&self, id: &str) -> Result<Arc<dyn Store>> {
        let first = lock(&self.stores).first().cloned();
        match first {
            Some(first) if self.bug == Bug::StoresShareKeys => Ok(self.broken(first)),
            _ => Ok(self.broken(self.harness.open(id).await?)),
        }
    }

    async fn open_limited(&self, id: &str, max_entries: u64) -> Result<Option<Arc<dyn Store>>> {
        Ok(self.harness.open_limited(id, max_entries).await?.map(|store| self.broken(store)))
    }

    async fn advance(&self, by: Duration) {
        self.harness.advance(by).await;
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.harness.clock()
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The names of the cases, of all or of one, that fail on a store with this bug.
fn failing_cases(bug: Bug, only: Option<&str>) -> Vec<&'static str> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // Threads that a case starts have no name; the tests' own have.
            if !QUIET.get() && std::thread::current().name().is_some() {
                usual(info);
            }
        }));
    });
    let mut failing = Vec::new();
    for case in cases().iter().filter(|case| only.is_none_or(|name| name == case.name)) {
        QUIET.set(true);
        let run = catch_unwind(AssertUnwindSafe(|| case.run(Shape::Bare, || BrokenHarness::new(bug))));
        QUIET.set(false);
        if run.is_err() {
            failing.push(case.name);
        }
    }
    failing
}

#[test]
fn the_store_without_a_bug_passes() {
    assert_eq!(failing_cases(Bug::None, None), Vec::<&str>::new());
}

macro_rules! caught {
    ($($test:ident: $bug:ident by $case:ident;)*) => {
        $(#[test]
        fn $test() {
            let case = stringify!($case);
            assert_eq!(failing_cases(Bug::$bug, Some(case)), [case]);
        })*
    };
}

caught! {
    early_expiry: ExpiresEarly by t6_readable_until_its_deadline_and_absent_from_it_on;
    late_expiry: ExpiresLate by t6_readable_until_its_deadline_and_absent_from_it_on;
    ttl_in_whole_seconds: TtlInWholeSeconds by t3_precision_is_a_millisecond;
    overwrite_inherits_ttl: OverwriteInheritsTtl by t5_overwrite_never_inherits_ttl;
    keep_ttl_ignored: KeepTtlIgnored by t5_keep_ttl_keeps_the_deadline;
    increment_drops_ttl: IncrementDropsTtl by t5_increment_keeps_the_ttl_of_a_live_counter;
    increment_renews_ttl: IncrementRenewsTtl by t5_increment_keeps_the_ttl_of_a_live_counter;
    touch_revives: TouchRevives by t6_touch_revives_nothing;
    delete_counts_expired: DeleteCountsExpired by t6_expired_is_not_deleted;
    clear_counts_expired: ClearCountsExpired by t6_expired_is_not_counted_by_clear;
    purge_takes_live: PurgeTakesLive by t7_purge_frees_only_what_expired_and_no_more_than_asked;
    keys_fold_case: KeysFoldCase by k1_any_bytes_are_a_key;
    keys_end_at_nul: KeysEndAtNul by k1_keys_that_extend_each_other_are_apart;
    prefixes_are_globs: PrefixesAreGlobs by k1_prefixes_are_plain_bytes;
    stores_share_keys: StoresShareKeys by k2_stores_do_not_see_each_other;
    clear_takes_other_stores: ClearTakesOtherStores by k2_clear_leaves_other_stores_alone;
    version_reused_after_delete: VersionReusedAfterDelete by c2_versions_are_not_reused_after_delete;
    versions_in_order: VersionsInOrder by c2_versions_do_not_tell_their_order;
    touch_changes_version: TouchChangesVersion by c2_touch_and_reads_keep_the_version;
    if_absent_ignored: IfAbsentIgnored by put_only_if_absent;
    if_absent_races: IfAbsentRaces by c1_one_of_many_only_if_absent_puts_wins;
    if_version_creates: IfVersionCreates by put_if_version;
    conflict_writes: ConflictWrites by put_if_version;
    increment_loses_updates: IncrementLosesUpdates by c1_no_increment_is_lost;
    increment_wraps_around: IncrementWrapsAround by increment_overflow_is_invalid_and_changes_nothing;
    increment_parses_text: IncrementParsesText by increment_of_what_is_no_integer_is_invalid_and_changes_nothing;
    take_races: TakeRaces by c1_one_of_many_takes_gets_the_value;
    take_leaves: TakeLeaves by take_reads_and_deletes;
    delete_many_counts_twice: DeleteManyCountsTwice by delete_many_is_positional_and_true_once;
    get_many_sorted: GetManySorted by get_many_is_positional;
    set_many_keeps_first: SetManyKeepsFirst by set_many_writes_all_and_the_last_of_equal_keys_stays;
    set_many_drops_last: SetManyDropsLast by set_many_writes_all_and_the_last_of_equal_keys_stays;
    list_unordered: ListUnordered by list_is_in_byte_order;
    list_skips_at_page_borders: ListSkipsAtPageBorders by list_of_many_entries_brings_each_once;
    list_repeats_at_page_borders: ListRepeatsAtPageBorders by list_of_many_entries_brings_each_once;
    list_always_has_more: ListAlwaysHasMore by list_says_exactly_whether_more_follows;
    scan_misses_entries: ScanMissesEntries by scan_brings_every_entry;
    overwrite_needs_room: OverwriteNeedsRoom by e6_overwriting_is_not_refused_for_count;
    expired_take_room: ExpiredTakeRoom by e6_expired_entries_never_count;
    closed_looks_empty: ClosedLooksEmpty by e5_a_closed_store_refuses_everything;
}
