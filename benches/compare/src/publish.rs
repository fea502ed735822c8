//! The files that a published comparison consists of.

use crate::results::Results;
use crate::{Result, plot, report, rows};
use std::fs;
use std::path::{Path, PathBuf};

/// Between these the README's section lies.
const BEGIN: &str = "<!-- comparison -->";
const END: &str = "<!-- /comparison -->";

/// All of them, of new results.
pub fn save(results: &Results) -> Result<()> {
    write(&at("docs/comparison.json"), &(serde_json::to_string(results)? + "\n"))?;
    render()
}

/// All that are made of docs/comparison.json.
pub fn render() -> Result<()> {
    let results: Results = serde_json::from_str(&read(&at("docs/comparison.json"))?)?;
    if let Some(cell) = results.cells.iter().find(|cell| rows::ALL.iter().all(|row| row.name != cell.name)) {
        return Err(format!("docs/comparison.json has a row that there is not: {}", cell.name).into());
    }
    write(&at("docs/comparison.md"), &report::document(&results))?;
    write(&at("docs/comparison.svg"), &plot::svg(&results)?)?;
    let readme = read(&at("README.md"))?;
    let parts = readme.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("README.md has no {BEGIN} .. {END}"))?;
    write(&at("README.md"), &format!("{before}{BEGIN}\n{}{END}{after}", report::section(&results)))
}

/// In the repository.
fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn read(path: &Path) -> Result<String> {
    Ok(fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?)
}

fn write(path: &Path, text: &str) -> Result<()> {
    Ok(fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?)
}
