use ratatui::style::{Color, Modifier, Style};

use super::listing::Tone;

/// How things look: in colours that can be read on light and on dark, or without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Colours,
    /// As <https://no-color.org> asks for it.
    Plain,
}

impl Look {
    /// The look that goes with what `NO_COLOR` says.
    pub(super) fn of(no_color: Option<&std::ffi::OsStr>) -> Self {
        if no_color.is_some_and(|said| !said.is_empty()) { Self::Plain } else { Self::Colours }
    }

    /// The terminal's own red, green and blue, which are chosen for its ground; yellow and white are not.
    pub(super) fn of_tone(self, tone: Tone) -> Style {
        let (colour, emphasis) = match tone {
            Tone::Calm => (Color::Green, Modifier::empty()),
            Tone::Busy => (Color::Blue, Modifier::BOLD),
            Tone::Bad => (Color::Red, Modifier::BOLD),
        };
        self.coloured(colour).add_modifier(emphasis)
    }

    pub(super) fn head() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn chosen() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn quiet() -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn alarm(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    fn coloured(self, colour: Color) -> Style {
        match self {
            Self::Colours => Style::new().fg(colour),
            Self::Plain => Style::new(),
        }
    }
}
