//! The store beside its competitors: see the library.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    store_peers::run(None)
}
