//! Listing in byte order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::without_list;
use crate::conformance::direct::{Direct, Must, NEVER, number, refused, text};
use crate::conformance::run::{Cx, ID};
use crate::{Expiry, Handle, Kind, ListOptions, Ttl, Want, decode_cursor, encode_cursor};

/// A store with these keys, written in no order.
async fn filled(cx: &Cx, keys: &[&[u8]]) -> Option<Direct> {
    let store = cx.open().await;
    if without_list(&store).await {
        return None;
    }
    let (even, odd): (Vec<_>, Vec<_>) = keys.iter().rev().enumerate().partition(|(index, _)| index % 2 == 0);
    let keys: Vec<&[u8]> = even.into_iter().chain(odd).map(|(_, key)| *key).collect();
    store.fill(&keys, &text("v")).await;
    Some(store)
}

async fn numbered(cx: &Cx, count: usize) -> Option<(Direct, Vec<Box<[u8]>>)> {
    let keys: Vec<Box<[u8]>> = (0..count).map(|index| format!("k{index:04}").into_bytes().into()).collect();
    let store = filled(cx, &keys.iter().map(|key| &**key).collect::<Vec<_>>()).await?;
    Some((store, keys))
}

pub(crate) async fn list_is_in_byte_order(cx: &Cx) {
    let keys: [&[u8]; 16] = [
        b"\0",
        b"\0\0",
        b"\x01",
        b"*",
        b"1",
        b"10",
        b"2",
        b"A",
        b"B",
        b"a",
        b"a\0",
        b"aa",
        b"a\xff",
        b"b",
        b"\xc3\xa9",
        b"\xff\xff",
    ];
    let Some(store) = filled(cx, &keys).await else { return };
    for limit in [1, 2, 3, 15, 16, 17, 1000] {
        let listed = store.list("", limit, Want::Keys).await;
        assert!(listed.iter().map(|item| &*item.key).eq(keys), "in pages of {limit}: {listed:?}");
    }
}

pub(crate) async fn list_brings_what_was_asked_for(cx: &Cx) {
    let Some(store) = filled(cx, &[]).await else { return };
    let version = store.put("k", &number(7), NEVER).await.version;
    let item = store.list("", 10, Want::Entries).await.pop().must();
    let entry = item.entry.must();
    assert_eq!(
        (&*item.key, entry.value.as_bytes(), entry.version, entry.ttl),
        (&b"k"[..], &*number(7), version, Ttl::Never)
    );
    let item = store.list("", 10, Want::Keys).await.pop().must();
    assert_eq!((&*item.key, item.entry), (&b"k"[..], None));
}

pub(crate) async fn list_of_nothing_is_empty(cx: &Cx) {
    let Some(store) = filled(cx, &[]).await else { return };
    assert_eq!(store.page(b"", None, 10).await, crate::ListPage::default());
    store.put("k", &text("v"), NEVER).await;
    assert_eq!(store.page(b"x", None, 10).await, crate::ListPage::default());
    store.delete("k").await;
    assert_eq!(store.page(b"", None, 10).await, crate::ListPage::default());
}

pub(crate) async fn list_respects_its_prefix(cx: &Cx) {
    let Some(store) =
        filled(cx, &[b"a", b"a:", b"a:1", b"a:2", b"a;", b"b", b"A:1", b"\xff", b"\xff\xff", b"\xff\xffx"]).await
    else {
        return;
    };
    for (prefix, expected) in [
        (&b"a:"[..], &[&b"a:"[..], b"a:1", b"a:2"][..]),
        (b"a:1", &[b"a:1"]),
        (b"a:11", &[]),
        (b"\xff", &[b"\xff", b"\xff\xff", b"\xff\xffx"]),
        (b"\xff\xff", &[b"\xff\xff", b"\xff\xffx"]),
        (b"c", &[]),
        (b"\0", &[]),
    ] {
        for limit in [1, 2, 100] {
            let listed = store.list(prefix, limit, Want::Keys).await;
            assert!(
                listed.iter().map(|item| &*item.key).eq(expected.iter().copied()),
                "{}: {listed:?}",
                prefix.escape_ascii()
            );
        }
    }
}

pub(crate) async fn list_says_exactly_whether_more_follows(cx: &Cx) {
    let Some((store, keys)) = numbered(cx, 10).await else { return };
    for limit in 1..=12 {
        let page = store.page(b"", None, limit).await;
        if page.items.len() < limit && page.resume.is_some() {
            // It ended early at the backend's budget, as it may.
            continue;
        }
        assert_eq!(page.items.len(), limit.min(10));
        assert_eq!(page.resume.is_some(), limit < 10, "limit {limit} of 10");
        if let Some(resume) = page.resume {
            assert_eq!(resume, keys[limit - 1], "the next page begins after the last entry");
        }
    }
    let page = store.page(b"k0004", None, 1).await;
    assert_eq!((page.items.len(), page.resume), (1, None), "what follows has another prefix");
}

pub(crate) async fn list_goes_on_after_any_key(cx: &Cx) {
    let Some(store) = filled(cx, &[b"a", b"b", b"b\0", b"c", b"d"]).await else { return };
    for (after, expected) in [
        (&b"a"[..], &[&b"b"[..], b"b\0", b"c", b"d"][..]),
        (b"b", &[b"b\0", b"c", b"d"]),
        (b"bb", &[b"c", b"d"]),
        (b"\0", &[b"a", b"b", b"b\0", b"c", b"d"]),
        (b"d", &[]),
        (b"z", &[]),
        (b"\xff\xff", &[]),
    ] {
        let page = store.page(b"", Some(after), 10).await;
        assert!(page.items.iter().map(|item| &*item.key).eq(expected.iter().copied()), "{}", after.escape_ascii());
    }
    assert_eq!(store.page(b"b", Some(b"a"), 10).await.items.len(), 2, "a position before the prefix");
    assert_eq!(store.page(b"b", Some(b"c"), 10).await.items.len(), 0, "a position behind the prefix");
    store.delete("b").await;
    assert_eq!(store.page(b"", Some(b"b"), 10).await.items.len(), 3, "the key of the position may be gone");
}

pub(crate) async fn list_sees_every_write_and_delete(cx: &Cx) {
    let Some((store, mut keys)) = numbered(cx, 40).await else { return };
    for index in [39, 20, 0] {
        store.delete(keys.remove(index)).await;
        assert_eq!(store.keys("").await, keys);
    }
    store.put("a", &text("v"), NEVER).await;
    keys.insert(0, Box::from(&b"a"[..]));
    store.put("k0030", &text("w"), NEVER).await;
    assert_eq!(store.keys("").await, keys, "an overwritten key comes once");
    store.take("a").await;
    store.delete_many(&["k0001", "k0002"]).await;
    store.set_many(&[("z", &text("v"), NEVER)]).await.must();
    keys.drain(..3);
    keys.push(Box::from(&b"z"[..]));
    assert_eq!(store.keys("").await, keys);
}

pub(crate) async fn list_of_many_entries_brings_each_once(cx: &Cx) {
    let Some((store, keys)) = numbered(cx, 700).await else { return };
    for limit in [90, 699, 700, 1000] {
        let listed = store.list("k", limit, Want::Entries).await;
        assert!(listed.iter().map(|item| &*item.key).eq(keys.iter().map(|key| &**key)), "in pages of {limit}");
    }
}

/// An entry that is live throughout a listing comes exactly once, whatever happens around it.
pub(crate) async fn list_is_stable_under_concurrent_change(cx: &Cx) {
    let store = cx.open().await;
    if without_list(&store).await {
        return;
    }
    let stable: Vec<Box<[u8]>> = (0..100).map(|index| format!("k{index:03}").into_bytes().into()).collect();
    for key in &stable {
        store.put(key, &text("v"), NEVER).await;
    }
    let done = Arc::new(AtomicBool::new(false));
    let listings = cx
        .threads(3, move |thread| {
            let (store, done) = (store.clone(), Arc::clone(&done));
            async move {
                let mut listings = Vec::new();
                if thread == 0 {
                    for _ in 0..8 {
                        listings.push(store.list("", 9, Want::Keys).await);
                    }
                    done.store(true, Ordering::Release);
                }
                let mut round = 0;
                while !done.load(Ordering::Acquire) {
                    let key = format!("k{:03}{}", (round * 37) % 100, if thread == 1 { "+" } else { "-" });
                    store.put(&key, &text("w"), NEVER).await;
                    store.put(format!("k{:03}", (round * 11) % 100), &text("x"), NEVER).await;
                    store.delete(&key).await;
                    round += 1;
                }
                listings
            }
        })
        .await;
    for listing in listings.concat() {
        assert!(listing.windows(2).all(|pair| pair[0].key < pair[1].key), "in order, each key once");
        let found: Vec<_> = listing.iter().map(|item| &*item.key).filter(|key| key.len() == 4).collect();
        assert!(found.into_iter().eq(stable.iter().map(|key| &**key)), "what was there throughout came exactly once");
    }
}

async fn pages(handle: &Handle, options: &ListOptions) -> Vec<Box<[u8]>> {
    let mut options = options.clone();
    let mut keys = Vec::new();
    loop {
        let page = handle.list(&options).await.must();
        assert_eq!(page.has_more, page.cursor.is_some());
        keys.extend(page.items.into_iter().map(|item| Box::<[u8]>::from(item.key)));
        assert!(keys.len() < 10_000, "the listing does not end");
        match page.cursor {
            Some(cursor) => options.after = Some(cursor),
            None => return keys,
        }
    }
}

pub(crate) async fn list_through_a_handle_pages_by_cursor(cx: &Cx) {
    let Some((store, keys)) = numbered(cx, 120).await else { return };
    let handle = cx.handle_on(&store, crate::config::Settings::default());
    assert_eq!(handle.list(&ListOptions::default()).await.must().items.len(), 100, "the default limit");
    for limit in [17, 119, 120, 1000] {
        assert_eq!(pages(&handle, &ListOptions::prefix("").limit(limit)).await, keys, "{limit}");
        assert_eq!(pages(&handle, &ListOptions::prefix("k").limit(limit).keys_only()).await, keys, "{limit}");
    }
    assert_eq!(pages(&handle, &ListOptions::prefix("k001").limit(3)).await, keys[10..20]);
    let page = handle.list(&ListOptions::prefix("").limit(2).keys_only()).await.must();
    assert!(page.items.iter().all(|item| item.entry.is_none()));
}

pub(crate) async fn list_limits_outside_1_to_1000_are_invalid(cx: &Cx) {
    let handle = cx.handle().await;
    for limit in [0, 1001, usize::MAX] {
        refused(handle.list(&ListOptions::prefix("").limit(limit)).await, Kind::Invalid);
    }
}

pub(crate) async fn list_refuses_bad_cursors(cx: &Cx) {
    let Some((store, _)) = numbered(cx, 3).await else { return };
    let handle = cx.handle_on(&store, crate::config::Settings::default());
    let good = handle.list(&ListOptions::prefix("").limit(1)).await.must().cursor.must();
    let other = encode_cursor("another store", b"k0000");
    let cut = &good[..good.len() - 2];
    for bad in
        ["", "x", "k0000", "0", &*other, cut, &format!("{good}00"), &good.to_uppercase().replace('1', "2"), "\0", "é"]
    {
        refused(handle.list(&ListOptions::prefix("").after(bad)).await, Kind::Invalid);
    }
    assert_eq!(decode_cursor(ID, &good).must(), b"k0000");
}

pub(crate) async fn list_cursors_outlive_the_handle_and_the_entry(cx: &Cx) {
    let Some((store, keys)) = numbered(cx, 6).await else { return };
    let first = cx.handle_on(&store, crate::config::Settings::default());
    let cursor = first.list(&ListOptions::prefix("").limit(3)).await.must().cursor.must();
    first.delete("k0002").await.must();
    first.release();
    let second = cx.handle_on(&store, crate::config::Settings::default());
    assert_eq!(pages(&second, &ListOptions::prefix("").after(cursor)).await, keys[3..]);
}

pub(crate) async fn each_brings_every_entry_once(cx: &Cx) {
    let Some((store, keys)) = numbered(cx, 620).await else { return };
    store.put("other", &text("v"), NEVER).await;
    let handle = cx.handle_on(&store, crate::config::Settings::default());
    let mut each = handle.each("k");
    let mut seen = Vec::new();
    while let Some(item) = each.next().await {
        let (key, entry) = item.must();
        assert_eq!(entry.value.as_bytes(), text("v"));
        seen.push(key);
        assert!(seen.len() < 10_000, "the listing does not end");
    }
    assert_eq!(seen, keys);
    assert!(each.next().await.is_none(), "the end stays the end");
    handle.release();
    refused(handle.each("").next().await.must(), Kind::Invalid);
}

pub(crate) async fn list_leaves_entries_alone(cx: &Cx) {
    let Some((store, _)) = numbered(cx, 3).await else { return };
    let handle = cx.handle_on(&store, crate::config::Settings::default());
    handle.set("k0001", &1, Expiry::Never).await.must();
    let before = handle.entry::<i64>("k0001").await.must();
    pages(&handle, &ListOptions::prefix("").limit(1)).await;
    assert_eq!(handle.entry::<i64>("k0001").await.must(), before);
}
