//! All figures, and what is printed of them.

/// The cells of all tables.
#[derive(Debug, Default)]
pub struct Table(Vec<Cell>);

#[derive(Debug)]
struct Cell {
    /// The table's title.
    of: String,
    row: String,
    column: String,
    /// Each figure of a cell has a value a round.
    figures: Vec<Vec<f64>>,
}

impl Table {
    /// Figures of one more round.
    pub fn enter(&mut self, of: &str, row: &str, column: &str, figures: &[f64]) {
        let at = self.0.iter().position(|cell| cell.of == of && cell.row == row && cell.column == column);
        let at = at.unwrap_or_else(|| {
            let (of, row, column) = (of.to_owned(), row.to_owned(), column.to_owned());
            self.0.push(Cell { of, row, column, figures: vec![Vec::new(); figures.len()] });
            self.0.len() - 1
        });
        for (all, &figure) in self.0[at].figures.iter_mut().zip(figures) {
            all.push(figure);
        }
    }

    /// All tables, in the order in which they were begun.
    pub fn print(&self, columns: &[String]) {
        for title in unique(self.0.iter().map(|cell| &cell.of)) {
            let cells: Vec<_> = self.0.iter().filter(|cell| cell.of == *title).collect();
            println!("\n{title}:\n\n| | {} |", columns.join(" | "));
            println!("|---|{}", "--:|".repeat(columns.len()));
            for row in unique(cells.iter().map(|cell| &cell.row)) {
                let show = |column: &String| {
                    let cell = cells.iter().find(|cell| cell.row == *row && cell.column == *column)?;
                    let medians = cell.figures.iter().map(|all| number(median(all)));
                    Some(medians.collect::<Vec<_>>().join(" / "))
                };
                let shown = columns.iter().map(|column| show(column).unwrap_or_else(|| "–".to_owned()));
                println!("| {row} | {} |", shown.collect::<Vec<_>>().join(" | "));
            }
        }
    }
}

fn unique<'a>(all: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut seen = Vec::new();
    all.for_each(|one| {
        if !seen.contains(&one) {
            seen.push(one);
        }
    });
    seen
}

fn median(all: &[f64]) -> f64 {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    f64::midpoint(all[(all.len() - 1) / 2], all[all.len() / 2])
}

/// Three digits or more.
fn number(x: f64) -> String {
    if x < 100.0 { format!("{x:.1}") } else { format!("{x:.0}") }
}
