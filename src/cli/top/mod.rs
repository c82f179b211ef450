//! The live view in the terminal. [`state`] is what is shown and what keys do to it, [`draw`] what that looks like.

mod clients;
mod counts;
mod draw;
mod listing;
mod look;
mod plain;
mod pools;
mod refusals;
mod routes;
mod screen;
mod state;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval};

use super::asking::AdminArgs;
use super::output::output;
use super::stop::StopSignals;
use crate::admin::Status;
use screen::Screen;
use state::{State, Then};

/// Show live which limits are hit: pools, routes, clients and what the upstream refuses, the worst at the top. Where
/// standard output is no terminal, one picture is printed.
#[derive(Debug, Args)]
pub(super) struct TopCommand {
    #[command(flatten)]
    gate: AdminArgs,
    /// Print one picture, and end.
    #[arg(long)]
    once: bool,
}

/// How often the gate is asked. A guess: people see it move.
const TICK: Duration = Duration::from_secs(1);

/// How long it may take to answer. A guess: it may be far away.
const PATIENCE: Duration = Duration::from_secs(5);

impl TopCommand {
    pub(super) fn run(self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ended = if self.once || !output().is_terminal() {
            runtime.block_on(self.print())
        } else {
            runtime.block_on(self.show())
        };
        // A name that is being looked up, say, would be waited for.
        runtime.shutdown_background();
        ended
    }

    async fn print(self) -> Result<()> {
        let status = self.gate.status(PATIENCE).await?;
        let mut state = State::new(self.gate.admin);
        state.see(Ok(status));
        Ok(output().write_all(plain::picture(&state).as_bytes())?)
    }

    async fn show(self) -> Result<()> {
        let (mut stop, mut state) = (StopSignals::listen()?, State::new(self.gate.admin.clone()));
        let (says, mut said) = unbounded_channel();
        let asking = tokio::spawn(ask(self.gate, says));
        let mut screen = Screen::open()?;
        let mut typed = listen();
        loop {
            screen.show(&state)?;
            tokio::select! {
                Some(said) = said.recv() => state.see(said),
                Some(event) = typed.recv() => if is_quit(&mut state, &event) { break },
                () = stop.asked() => break,
            }
        }
        asking.abort();
        Ok(())
    }
}

/// Asks the gate how it is, again and again.
async fn ask(gate: AdminArgs, says: UnboundedSender<Result<Status, String>>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let said = gate.status(PATIENCE).await.map_err(|error| format!("{error:#}"));
        if says.send(said).is_err() {
            return;
        }
    }
}

/// What is typed, and how the window changes. The thread ends with the program.
fn listen() -> UnboundedReceiver<Event> {
    let (types, typed) = unbounded_channel();
    thread::spawn(move || {
        while let Ok(event) = event::read()
            && types.send(event).is_ok()
        {}
    });
    typed
}

fn is_quit(state: &mut State, event: &Event) -> bool {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => state.press(*key) == Then::Quit,
        _ => false,
    }
}
