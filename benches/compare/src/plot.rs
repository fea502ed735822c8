//! The picture: each peer's figure divided by ours, a line for each row, on a logarithmic scale.

use crate::Result;
use crate::report::{label, rows_of};
use crate::results::{Cell, Results};
use plotters::prelude::*;

const WIDTH: u32 = 840;
const LINE: u32 = 17;
/// What is not lines: the scale, the legend.
const AROUND: u32 = 90;

/// What the scale shows; what is beyond lies on its edge.
const LEAST: f64 = 0.05;
const MOST: f64 = 1000.0;

/// To be read on white and on black.
const INK: RGBColor = RGBColor(128, 128, 128);
const COLORS: [(&str, RGBColor); 4] = [
    ("go", RGBColor(0, 160, 200)),
    ("tokio", RGBColor(222, 125, 30)),
    ("may", RGBColor(150, 100, 215)),
    ("threads", RGBColor(80, 160, 80)),
];

pub fn svg(results: &Results) -> Result<String> {
    let rows = rows_of(results);
    let n = rows.len();
    let mut svg = String::new();
    {
        let size = (WIDTH, n as u32 * LINE + AROUND);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let words = ("sans-serif", 15).into_font().color(&INK);
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(150)
            .build_cartesian_2d((LEAST..MOST).log_scale(), (0..n).into_segmented())?;
        let name = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(i) if *i < n => label(rows[n - 1 - i][0]),
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .y_labels(n + 1)
            .y_label_formatter(&name)
            .x_labels(6)
            .x_label_formatter(&|x| format!("{x}"))
            .x_desc("a peer's time (or memory) divided by sixtyone's: right of 1 sixtyone is better. Filled 1 P, hollow 2")
            .label_style(words.clone())
            .axis_desc_style(words.clone())
            .axis_style(INK)
            .bold_line_style(INK.mix(0.25))
            .light_line_style(TRANSPARENT)
            .draw()?;
        let level = [(1.0, SegmentValue::Exact(0)), (1.0, SegmentValue::Last)];
        chart.draw_series([PathElement::new(level, INK.stroke_width(2))])?;
        for (rt, color) in COLORS {
            let points = rows.iter().enumerate().flat_map(|(i, cells)| {
                let place = SegmentValue::CenterOf(n - 1 - i);
                cells
                    .iter()
                    .filter_map(move |cell| Some(point(theirs(cell, rt)?, place.clone(), cell.procs, color)))
            });
            chart
                .draw_series(points)?
                .label(rt)
                .legend(move |(x, y)| Circle::new((x + 8, y), 4, color.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .label_font(words)
            .border_style(INK.mix(0.5))
            .draw()?;
        root.present()?;
    }
    Ok(svg)
}

fn theirs(cell: &Cell, rt: &str) -> Option<f64> {
    let (_, key) = cell.row().kind.ratios()[0];
    Some(1.0 / cell.ratio(rt, key)?.median)
}

type Point = Circle<(f64, SegmentValue<usize>), i32>;

fn point(ratio: f64, place: SegmentValue<usize>, procs: usize, color: RGBColor) -> Point {
    let style = if procs == 1 { color.mix(0.85).filled() } else { color.stroke_width(2) };
    Circle::new((ratio.clamp(LEAST, MOST), place), 4, style)
}
