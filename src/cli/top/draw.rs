use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{self, Block, Borders, Clear, Paragraph, StatefulWidget, Table, TableState, Widget, Wrap};

use super::listing::{Cell, Column, ListRow, Listing, NAME, Tone, span};
use super::look::Look;
use super::state::{Mode, Pane, State};
use crate::admin::Status;

/// How high a screen must be for what is said of the selected row, and for the latest refusals.
const ROOM_FOR_WORDS: u16 = 14;
const ROOM_FOR_REFUSALS: u16 = 28;

const HELP: &str = " tab, 1-4    pools, routes, clients, refusals of the upstream
 ↑ ↓  j k    choose a row; below it stands what is the matter
 s  r        sort by another column; the other way round
 /  esc      only what has this in its name; all again
 p           hold the picture; go on
 ?           this
 q  ctrl-c   quit";

/// Draws everything.
pub(super) fn draw(state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    let heights = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(refusals_height(state, area)),
        Constraint::Length(words_height(area)),
        Constraint::Length(1),
    ];
    let [head, panes, table, refusals, words, foot] = Layout::vertical(heights).areas(area);
    let listing = state.listing();
    draw_head(state, look, head, buffer);
    draw_panes(state, &listing, panes, buffer);
    let at = state.position(&listing.rows);
    draw_table(&listing, Some(at), look, table, buffer);
    draw_refusals(state, look, refusals, buffer);
    draw_words(listing.rows.get(at), words, buffer);
    draw_foot(state, look, foot, buffer);
    if state.mode == Mode::Help {
        draw_help(area, buffer);
    }
}

/// What the gate says of itself.
pub(super) fn head(state: &State) -> String {
    let Some(status) = &state.status else { return format!("tidegate at {}", state.gate) };
    let Status { uptime_s, waiting, connections, buffered, .. } = status;
    let held = bytesize::ByteSize(buffered.bytes);
    format!(
        "tidegate at {} · up {} · {waiting} waiting · {} connections · {held} held",
        state.gate,
        span(uptime_s * 1_000),
        connections.open
    )
}

/// What must not be overlooked.
fn alarms(state: &State) -> Vec<&'static str> {
    let draining = state.status.as_ref().is_some_and(|status| status.draining);
    let alarms = [
        (state.gone.is_some(), " the gate is gone, trying again "),
        (draining, " draining "),
        (state.paused, " paused "),
    ];
    alarms.into_iter().filter_map(|(holds, words)| holds.then_some(words)).collect()
}

fn draw_head(state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    let mut spans: Vec<Span<'_>> = Vec::new();
    for words in alarms(state) {
        spans.extend([Span::styled(words, look.alarm()), " ".into()]);
    }
    spans.push(Span::styled(head(state), Look::head()));
    Line::from(spans).render(area, buffer);
}

fn draw_panes(state: &State, listing: &Listing, area: Rect, buffer: &mut Buffer) {
    let pane = |(index, pane): (usize, &Pane)| {
        let style = if *pane == state.pane { Look::chosen() } else { Look::quiet() };
        [Span::styled(format!(" {} {} ", index + 1, pane.name()), style), " ".into()]
    };
    let mut spans: Vec<Span<'_>> = Pane::ALL.iter().enumerate().flat_map(pane).collect();
    let choice = state.choice();
    let order = if choice.reversed { ", reversed" } else { "" };
    spans.push(Span::styled(format!("by {}{order}", listing.sort_name(choice.sort)), Look::quiet()));
    if !choice.filter.is_empty() {
        spans.push(format!("  with '{}'", choice.filter).into());
    }
    Line::from(spans).render(area, buffer);
}

/// Lists as many columns as there is room for.
pub(super) fn draw_table(listing: &Listing, chosen: Option<usize>, look: Look, area: Rect, buffer: &mut Buffer) {
    if listing.rows.is_empty() {
        return Line::styled(listing.empty, Look::quiet()).render(area, buffer);
    }
    let (name, others) = listing.columns.split_first().expect("a listing has a column");
    let shown = fitting(others, area.width);
    let widths = [Constraint::Fill(1)].into_iter().chain(shown.iter().map(|column| Constraint::Length(column.width)));
    let heads = [Text::from(name.head)]
        .into_iter()
        .chain(shown.iter().zip(head_sides(listing)).map(|(column, side)| Text::from(column.head).alignment(side)));
    let left = area.width.saturating_sub(shown.iter().map(|column| column.width + 1).sum());
    let rows = listing.rows.iter().map(|row| table_row(row, left, shown, look));
    let table = Table::new(rows, widths)
        .header(widgets::Row::new(heads).style(Look::head()))
        .row_highlight_style(Look::chosen());
    StatefulWidget::render(table, area, buffer, &mut TableState::new().with_selected(chosen));
}

/// The columns for which there is room beside the name.
fn fitting(columns: &'static [Column], width: u16) -> &'static [Column] {
    let mut taken = NAME;
    let fits = |column: &&Column| {
        taken += column.width + 1;
        taken <= width
    };
    &columns[..columns.iter().take_while(fits).count()]
}

/// A head stands over its numbers.
fn head_sides(listing: &Listing) -> impl Iterator<Item = Alignment> {
    let side = |cell: &Cell| if matches!(cell, Cell::Number(_)) { Alignment::Right } else { Alignment::Left };
    listing.rows[0].cells.iter().map(side)
}

fn table_row<'r>(row: &'r ListRow, left: u16, columns: &[Column], look: Look) -> widgets::Row<'r> {
    let style = look.of_tone(row.tone);
    let name = Text::styled(fit(&row.name, left), if row.tone == Tone::Calm { Look::quiet() } else { style });
    let cells = row.cells.iter().zip(columns).map(|(cell, column)| match cell {
        Cell::Text(text) => Text::styled(&**text, style),
        Cell::Number(number) => Text::from(&**number).alignment(Alignment::Right),
        Cell::Bar(fill) => Text::styled(bar(*fill, column.width), style),
    });
    widgets::Row::new([name].into_iter().chain(cells))
}

/// A name that is too long loses its middle: what it begins and ends with tells most.
fn fit(name: &str, width: u16) -> Cow<'_, str> {
    let (letters, width) = (name.chars().count(), usize::from(width));
    if letters <= width {
        return name.into();
    }
    let end = (width / 3).max(1);
    let begin = name.chars().take(width.saturating_sub(end + 1));
    begin.chain(['…']).chain(name.chars().skip(letters - end)).collect()
}

/// A bar that is filled as far as the limit is used: what is used at all shows, and so does what is left.
fn bar(fill: Option<(u64, u64)>, width: u16) -> String {
    let Some((used, max)) = fill else { return String::new() };
    let (width, is_full) = (u64::from(width), used >= max);
    let full = if is_full { width } else { (used * width).div_ceil(max).min(width - 1) };
    let cells = |cell: &str, count| cell.repeat(usize::try_from(count).unwrap_or_default());
    cells("█", full) + &cells("░", width - full)
}

fn words_height(area: Rect) -> u16 {
    match area.height {
        0..ROOM_FOR_WORDS => 0,
        ROOM_FOR_WORDS..ROOM_FOR_REFUSALS => 5,
        _ => 7,
    }
}

fn refusals_height(state: &State, area: Rect) -> u16 {
    let refusals = state.status.as_ref().map_or(0, |status| status.events.len());
    let has_room = state.pane == Pane::Pools && area.height >= ROOM_FOR_REFUSALS;
    if has_room && refusals > 0 { u16::try_from(refusals).unwrap_or(u16::MAX).min(5) + 2 } else { 0 }
}

fn draw_refusals(state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let block = Block::new().borders(Borders::TOP).title(" Refused by the upstream lately ");
    draw_table(&state.all_of(Pane::Refusals), None, look, block.inner(area), buffer);
    block.render(area, buffer);
}

/// What is said of a row.
fn draw_words(row: Option<&ListRow>, area: Rect, buffer: &mut Buffer) {
    let Some(row) = row.filter(|_| area.height > 0) else { return };
    let block = Block::new().borders(Borders::TOP).title(format!(" {} ", row.name));
    let words: Vec<Line<'_>> = row.words.iter().map(|words| Line::from(&**words)).collect();
    Paragraph::new(words).wrap(Wrap { trim: true }).block(block).render(area, buffer);
}

fn draw_foot(state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    let line = match (&state.gone, state.mode) {
        (_, Mode::Filter) => Line::from(format!("/{}▏  enter: keep  esc: all", state.choice().filter)),
        (Some(why), _) => Line::styled(why.clone(), look.of_tone(Tone::Bad)),
        (None, _) => {
            Line::styled("q quit  tab pane  ↑↓ choose  s sort  r reverse  / filter  p pause  ? help", Look::quiet())
        }
    };
    line.render(area, buffer);
}

fn draw_help(area: Rect, buffer: &mut Buffer) {
    let height = u16::try_from(HELP.lines().count()).unwrap_or_default() + 2;
    let area = area.centered(Constraint::Length(64), Constraint::Length(height));
    Clear.render(area, buffer);
    Paragraph::new(HELP).block(Block::bordered().title(" tidegate top ")).render(area, buffer);
}
