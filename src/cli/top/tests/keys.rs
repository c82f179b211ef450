use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{letters, names, press, seen, status};
use crate::cli::top::state::{Mode, Pane, Then};

#[test]
fn the_worst_comes_first_and_s_and_r_sort_by_another_column_and_the_other_way_round() {
    let mut state = seen();
    assert_eq!(names(&state), ["lower", "full", "calm"]);
    press(&mut state, letters("s"));
    assert_eq!(names(&state), ["full", "lower", "calm"], "by use");
    press(&mut state, letters("r"));
    assert_eq!(names(&state), ["calm", "lower", "full"], "by use, reversed");
    press(&mut state, letters("rsssss"));
    assert_eq!(names(&state), ["calm", "full", "lower"], "by name");
    press(&mut state, letters("s"));
    assert_eq!(names(&state), ["lower", "full", "calm"], "by what is worst once more");
}

#[test]
fn a_filter_is_written_kept_and_taken_back() {
    let mut state = seen();
    press(&mut state, letters("/Luq"));
    assert_eq!((state.mode, names(&state).len()), (Mode::Filter, 0), "q is a letter like any other");
    press(&mut state, [KeyCode::Backspace, KeyCode::Backspace]);
    press(&mut state, [KeyCode::Enter]);
    assert_eq!((state.mode, names(&state)), (Mode::Look, vec!["lower".into(), "full".into(), "calm".into()]));
    press(&mut state, letters("/").chain(letters("ow")).chain([KeyCode::Enter]));
    assert_eq!(names(&state), ["lower"], "what was written before is gone on with");
    press(&mut state, [KeyCode::Esc]);
    assert_eq!(names(&state).len(), 3);
}

#[test]
fn panes_are_reached_by_number_and_in_turn() {
    let mut state = seen();
    for (key, pane) in [
        (KeyCode::Tab, Pane::Routes),
        (KeyCode::Char('4'), Pane::Refusals),
        (KeyCode::Tab, Pane::Pools),
        (KeyCode::BackTab, Pane::Refusals),
        (KeyCode::Char('3'), Pane::Clients),
        (KeyCode::Left, Pane::Routes),
    ] {
        press(&mut state, [key]);
        assert_eq!(state.pane, pane, "{key:?}");
    }
    assert_eq!(names(&state), ["GET /v1/b", "GET /v1/a"], "by requests");
    press(&mut state, letters("s"));
    assert_eq!(names(&state), ["GET /v1/a", "GET /v1/b"], "by refusals");
}

#[test]
fn a_row_stays_chosen_when_others_overtake_it() {
    let mut state = seen();
    press(&mut state, letters("jj"));
    let chosen = |state: &super::State| names(state)[state.position(&state.listing().rows)].clone();
    assert_eq!(chosen(&state), "calm");
    let mut changed = status();
    changed.pools.iter_mut().filter(|pool| pool.name == "calm").for_each(|pool| pool.waiting = 900);
    changed.pools.retain(|pool| pool.name != "lower");
    state.see(Ok(changed));
    press(&mut state, letters("sss"));
    assert_eq!(chosen(&state), "calm");
    press(&mut state, [KeyCode::Home]);
    assert_eq!(state.position(&state.listing().rows), 0);
    press(&mut state, [KeyCode::End, KeyCode::Down]);
    assert_eq!(state.position(&state.listing().rows), 1, "there is none further down");
    press(&mut state, [KeyCode::PageUp]);
    assert_eq!(state.position(&state.listing().rows), 0);
}

#[test]
fn what_is_paused_stays_as_it_is_until_it_goes_on() {
    let mut state = seen();
    press(&mut state, letters("p"));
    let mut later = status();
    later.waiting = 77;
    state.see(Ok(later.clone()));
    assert_ne!(state.status.as_ref().map(|status| status.waiting), Some(77));
    press(&mut state, letters("p"));
    state.see(Ok(later));
    assert_eq!(state.status.as_ref().map(|status| status.waiting), Some(77));
}

#[test]
fn a_gate_that_is_gone_leaves_its_last_picture_and_comes_back() {
    let mut state = seen();
    state.see(Err("it cannot be reached".to_owned()));
    assert!(state.status.is_some() && state.gone.is_some());
    state.see(Ok(status()));
    assert!(state.gone.is_none());
}

#[test]
fn q_and_ctrl_c_end_it_and_any_key_the_help() {
    let mut state = seen();
    press(&mut state, letters("?"));
    assert_eq!((press(&mut state, letters("q")), state.mode), (Then::Stay, Mode::Look));
    assert_eq!(press(&mut state, letters("q")), Then::Quit);
    press(&mut state, letters("/"));
    assert_eq!(state.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Then::Quit);
    assert_eq!(state.press(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::CONTROL)), Then::Stay);
}
