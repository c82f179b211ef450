use std::io;

use ratatui::DefaultTerminal;

use super::draw::draw;
use super::look::Look;
use super::state::State;

/// The terminal, taken over; it is what it was once this is dropped, and before a panic is told of.
pub(super) struct Screen {
    terminal: DefaultTerminal,
    look: Look,
}

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        let look = Look::of(std::env::var_os("NO_COLOR").as_deref());
        let terminal = ratatui::try_init().inspect_err(|_| restore())?;
        Ok(Self { terminal, look })
    }

    pub(super) fn show(&mut self, state: &State) -> io::Result<()> {
        self.terminal.draw(|frame| draw(state, self.look, frame.area(), frame.buffer_mut()))?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// A terminal that has gone cannot be given back.
fn restore() {
    drop(ratatui::try_restore());
}
