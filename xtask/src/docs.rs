//! `cargo xtask docs` and `cargo xtask book`: the pages that are generated, and the website of all pages.

use std::path::{Path, PathBuf};

use crate::need;
use crate::run::{Failed, cargo, command, root, step};

/// Writes the generated pages anew. The tests that keep them true are also what writes them.
pub(crate) fn write() -> Result<(), Failed> {
    let mut command = cargo(&["test", "--locked", "--quiet", "-p", "store-book"]);
    command.args(["--test", "conformance_page", "--test", "configuration_page", "--test", "choosing_page"]);
    command.args(["--test", "benchmarks_page", "--test", "links"]);
    command.env("STORE_WRITE_DOCS", "1");
    step("the generated pages of docs/", command)
}

/// Builds the book into `target/book`, and follows every link of the result.
pub(crate) fn book() -> Result<(), Failed> {
    let mdbook = need::mdbook()?;
    let folder = root().join("target").join("book");
    let mut build = command(&mdbook, &["build", "docs", "--dest-dir"]);
    build.arg(&folder);
    step("the book", build)?;
    let (links, broken) = follow(&folder)?;
    if !broken.is_empty() {
        return Err(Failed::new(format!("the book has broken links:\n    {}", broken.join("\n    "))));
    }
    println!("    {links} links lead somewhere; read target/book/index.html");
    Ok(())
}

/// How many links there are between the files of a folder, and those that lead nowhere.
fn follow(folder: &Path) -> Result<(usize, Vec<String>), Failed> {
    let mut pages = Vec::new();
    html(folder, &mut pages).map_err(|error| Failed::new(format!("cannot read {}: {error}", folder.display())))?;
    let read = |page: &Path| std::fs::read_to_string(page).unwrap_or_default();
    let (mut links, mut broken) = (0, Vec::new());
    for page in &pages {
        let text = read(page);
        for link in targets(&text) {
            if link.contains("://") || link.starts_with("mailto:") || link.starts_with("data:") {
                continue;
            }
            links += 1;
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap_or(folder).join(path) };
            let found =
                target.is_file() && (fragment.is_empty() || read(&target).contains(&format!("id=\"{fragment}\"")));
            if !found {
                broken.push(format!("{}: {link}", page.strip_prefix(folder).unwrap_or(page).display()));
            }
        }
    }
    if pages.len() < 10 || links < 100 {
        return Err(Failed::new(format!("{} pages with {links} links are no book", pages.len())));
    }
    broken.sort();
    broken.dedup();
    Ok((links, broken))
}

fn html(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            html(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            // Pages that stand in for any place have links from the top.
            if !path.ends_with("404.html") && !path.ends_with("print.html") {
                found.push(path);
            }
        }
    }
    Ok(())
}

/// What stands in `href="..."` and `src="..."`.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let of = move |name: &'static str| text.split(name).skip(1).filter_map(|rest| rest.split('"').next());
    of(" href=\"").chain(of(" src=\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_and_followed() {
        let text = "<a href=\"a.html#x\">a</a><img src=\"b.svg\"><a class=\"c\" href=\"#y\">";
        assert_eq!(targets(text).collect::<Vec<_>>(), ["a.html#x", "#y", "b.svg"]);
        let folder = root().join("target").join(format!("book-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..12 {
            let links: String = (0..12).map(|other| format!("<a href=\"{other}.html\">")).collect();
            std::fs::write(folder.join(format!("{number}.html")), format!("<h1 id=\"top\">{links}")).unwrap();
        }
        assert_eq!(follow(&folder).unwrap(), (144, Vec::new()));
        std::fs::write(folder.join("0.html"), "<a href=\"nowhere.html\"><a href=\"1.html#top\"><a href=\"1.html#no\">")
            .unwrap();
        let (_, broken) = follow(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(broken, ["0.html: 1.html#no", "0.html: nowhere.html"]);
    }
}
