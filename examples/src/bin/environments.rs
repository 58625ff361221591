//! One program, three environments: what survives a restart, the configuration says.
//!
//! The program counts its own starts. In `development` it keeps the count in memory and begins again each time; in
//! `production` the same lines keep it on disk.
//!
//! ```text
//! cargo run -p store-examples --bin environments [CONFIG] [ENVIRONMENT]     # or STORE_ENV=production
//! ```

use std::error::Error;

use store::config::Document;
use store::{Expiry, IncrementOptions, Registry};

const CONFIG: &str = r#"
[stores.starts]
backend = "memory"

[env.development]

[env.production.stores.starts]
backend = "sled"
options = { path = "starts" }
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let document = match arguments.next() {
        Some(path) => Document::read(path)?,
        None => Document::parse(CONFIG, "the built-in configuration")?.with_base_dir(std::env::temp_dir()),
    };
    let environment = arguments.next().or_else(|| std::env::var("STORE_ENV").ok());
    // All mistakes of the file would be told here, with line and key, before anything is opened.
    let registry = store::open_with(&document, environment.as_deref(), &store::backends())?;
    // No runtime is needed: any executor will do, and this one is the smallest.
    let result = store::block_on(count(&registry));
    store::block_on(registry.close())?;
    let (count, backend) = result?;
    println!("start {count}, counted by {backend}");
    Ok(())
}

async fn count(registry: &Registry) -> store::Result<(i64, &'static str)> {
    let starts = registry.get("starts").await?;
    let forever = IncrementOptions::by(1).expiry(Expiry::Never);
    let count = starts.increment_with("count", &forever).await?;
    Ok((count, starts.info()?.backend.backend))
}
