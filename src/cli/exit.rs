/// Exit code of a command line that makes no sense, `clap`'s own.
pub(super) const USAGE: u8 = 2;

/// Exit code of an invalid configuration (`EX_CONFIG` of sysexits.h).
pub(super) const INVALID_CONFIG: u8 = 78;
