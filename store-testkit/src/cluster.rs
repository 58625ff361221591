//! A small Redis Cluster.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::{RedisServer, Reply};

const SLOTS: usize = 16_384;

/// Primaries that share the slots evenly, without replicas.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts a cluster of three and waits until it is well.
    ///
    /// # Panics
    /// If it does not become well within 20 s.
    #[must_use]
    pub fn start() -> RedisCluster {
        let nodes: Vec<RedisServer> = (0..3)
            .map(|_| {
                RedisServer::builder()
                    .config("cluster-enabled yes")
                    .config("cluster-node-timeout 1000")
                    .config("appendonly yes")
                    .start()
            })
            .collect();
        let cluster = RedisCluster { nodes };
        let share = SLOTS.div_ceil(cluster.nodes.len());
        for (number, node) in cluster.nodes.iter().enumerate() {
            let (from, to) = (number * share, ((number + 1) * share).min(SLOTS) - 1);
            expect_ok(&node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]));
            // Not ADDSLOTSRANGE, which Redis 6.2 lacks.
            let slots = (from..=to).map(|slot| slot.to_string());
            let words = ["CLUSTER", "ADDSLOTS"].map(str::to_owned);
            expect_ok(&node.cli(&words.into_iter().chain(slots).collect::<Vec<_>>()));
        }
        for node in &cluster.nodes[1..] {
            expect_ok(&cluster.nodes[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string()]));
        }
        cluster.wait_until_well();
        cluster
    }

    /// One cluster for all tests of this process. Leave it as it is.
    #[must_use]
    pub fn shared() -> &'static RedisCluster {
        static SHARED: OnceLock<RedisCluster> = OnceLock::new();
        SHARED.get_or_init(RedisCluster::start)
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// Their URLs.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// Waits until every node sees every slot served.
    ///
    /// # Panics
    /// If that takes longer than 20 s.
    pub fn wait_until_well(&self) {
        let start = Instant::now();
        let well = |node: &RedisServer| {
            let info = node.cli(&["CLUSTER", "INFO"]).text();
            info.contains("cluster_state:ok") && info.contains(&format!("cluster_known_nodes:{}", self.nodes.len()))
        };
        while !self.nodes.iter().all(well) {
            assert!(start.elapsed() < Duration::from_secs(20), "the cluster does not become well");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The slot of a key.
    #[must_use]
    pub fn slot(&self, key: &str) -> String {
        self.nodes[0].cli(&["CLUSTER", "KEYSLOT", key]).integer().to_string()
    }

    /// The id of a node.
    #[must_use]
    pub fn id(&self, node: usize) -> String {
        self.nodes[node].cli(&["CLUSTER", "MYID"]).text()
    }

    /// Begins to move a slot: keys that are there still are served by the old owner, others by the new one (`ASK`).
    ///
    /// # Panics
    /// If a node refuses.
    pub fn begin_move(&self, slot: &str, from: usize, to: usize) {
        expect_ok(&self.nodes[to].cli(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &self.id(from)]));
        expect_ok(&self.nodes[from].cli(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &self.id(to)]));
    }

    /// Moves the keys of a slot whose move has begun.
    ///
    /// # Panics
    /// If a node refuses.
    pub fn move_keys(&self, slot: &str, from: usize, to: usize) {
        let port = self.nodes[to].port().to_string();
        loop {
            let keys = self.nodes[from].cli(&["CLUSTER", "GETKEYSINSLOT", slot, "100"]);
            if keys.items().is_empty() {
                return;
            }
            let mut command =
                ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"].map(|word| word.as_bytes().to_vec()).to_vec();
            command.extend(keys.items().iter().map(|key| key.bytes().to_vec()));
            let reply = self.nodes[from].cli(&command);
            assert!(matches!(&reply, Reply::Simple(_)), "{reply:?}");
        }
    }

    /// Ends the move: the new owner has the slot.
    ///
    /// # Panics
    /// If a node refuses.
    pub fn end_move(&self, slot: &str, to: usize) {
        let id = self.id(to);
        expect_ok(&self.nodes[to].cli(&["CLUSTER", "SETSLOT", slot, "NODE", &id]));
        for node in &self.nodes {
            expect_ok(&node.cli(&["CLUSTER", "SETSLOT", slot, "NODE", &id]));
        }
    }

    /// Which node holds a slot, as the node itself sees it.
    ///
    /// # Panics
    /// If none does.
    #[must_use]
    pub fn owner(&self, slot: &str) -> usize {
        let slot: i64 = slot.parse().expect("a number");
        let ranges = self.nodes[0].cli(&["CLUSTER", "SLOTS"]);
        let range = ranges.items().iter().find(|range| {
            let range = range.items();
            range[0].integer() <= slot && slot <= range[1].integer()
        });
        let port = range.expect("a served slot").items()[2].items()[1].integer();
        self.nodes.iter().position(|node| i64::from(node.port()) == port).expect("a node of ours")
    }
}

fn expect_ok(reply: &Reply) {
    assert_eq!(*reply, Reply::Simple("OK".to_owned()));
}
