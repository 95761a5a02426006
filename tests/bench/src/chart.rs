//! Draws a chart of processor time: the bare library next to the service.

use std::fmt::Write;
use std::time::Duration;

use crate::bare::Runs;
use crate::drive::Timed;
use crate::measured::Measured;
use crate::times::ms;
use crate::turns::Sides;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 220.0;
const ROW: f64 = 26.0;
const COLOURS: [&str; 3] = ["#2f6f4f", "#4f8fbf", "#c9c9c9"];

/// One row: its name and the time of each part.
type Row = (&'static str, [Duration; 3]);

pub(crate) fn draw(measured: &Measured) -> String {
    let Sides { bare, alone } = measured.turns.all();
    let of = |runs: &Runs| {
        [runs.party_1(), runs.processor().saturating_sub(runs.party_1()), Duration::ZERO]
    };
    let with = |timed: &Timed| {
        let used = timed.used();
        [used.endpoints, used.cosigner, used.others]
    };
    let groups: [Vec<Row>; 2] = [
        vec![
            ("key generation, bare library", of(&bare.keygen)),
            ("new wallet", with(&alone.create)),
        ],
        vec![
            ("signature, bare library", of(&bare.signing)),
            ("signature", with(&alone.sign)),
            ("registration", with(&alone.register)),
        ],
    ];
    let height = 96.0 + ROW * 5.0 + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"16\">Processor time, ms</text>\n"
    );
    for (index, name) in ["party 1", "party 2", "local stack and clients"].iter().enumerate() {
        let x = 220 + 130 * index;
        let colour = COLOURS[index];
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"13\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"24\">{name}</text>",
            x + 18
        );
    }
    let mut y = 52.0;
    for rows in groups {
        let longest = rows.iter().map(|(_, parts)| parts.iter().map(|it| ms(*it)).sum::<f64>());
        let longest = longest.fold(1e-6, f64::max);
        for (name, parts) in rows {
            let _ = writeln!(svg, "<text x=\"12\" y=\"{:.0}\">{name}</text>", y + 14.0);
            let mut x = LEFT;
            for (part, colour) in parts.iter().zip(COLOURS) {
                let wide = ms(*part) / longest * (WIDTH - LEFT - 80.0);
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"18\" fill=\"{colour}\"/>"
                );
                x += wide;
            }
            let sum: f64 = parts.iter().map(|it| ms(*it)).sum();
            let _ =
                writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{sum:.1}</text>", x + 6.0, y + 14.0);
            y += ROW;
        }
        y += 20.0;
    }
    svg.push_str("</svg>\n");
    svg
}
