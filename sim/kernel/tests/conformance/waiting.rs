//! Entering, waiting, and what a turn takes.

use crate::stage::May::Both;
use crate::stage::scenarios;

scenarios! {
    /// A wait with an end ends then, and not before.
    until_an_instant: [Both("not early")];
    /// A bell that another thread strikes ends a wait without an end.
    for_a_bell: [Both("woken")];
    /// A connection ends a wait without an end.
    for_a_connection: [Both("accepted")];
    /// More completions than a turn takes: the rest is told of, and comes with the next.
    left_over: [Both("300 accepted, at most 256 a turn")];
    /// Both clocks go forward, at the same pace.
    clocks: [Both("forward")];
}

mod play {
    use crate::stage::{ACCEPT, Outside, Seen, Stage};
    use ringmill_reactor::bounds::COMPLETIONS_PER_TURN;
    use ringmill_reactor::{Driver, Wait};

    fn enter<O: Outside>(stage: &mut Stage<O>, wait: Wait) -> usize {
        let mut completions = Vec::new();
        stage.outside.enter(&mut stage.driver, wait, &mut completions);
        let count = completions.len();
        stage.take(completions);
        count
    }

    pub(super) fn until_an_instant<O: Outside>(stage: &mut Stage<O>) -> String {
        stage.settle();
        let start_ns = stage.driver.now().monotonic_ns;
        let end_ns = start_ns + 20_000_000;
        // Something may wake it before; it goes on waiting then.
        for _ in 0..1000 {
            let now_ns = stage.driver.now().monotonic_ns;
            if now_ns >= end_ns {
                return "not early".to_owned();
            }
            enter(stage, Wait::Until(end_ns));
        }
        "it does not wait".to_owned()
    }

    pub(super) fn for_a_bell<O: Outside>(stage: &mut Stage<O>) -> String {
        stage.settle();
        stage.outside.strike_soon();
        enter(stage, Wait::Forever);
        "woken".to_owned()
    }

    pub(super) fn for_a_connection<O: Outside>(stage: &mut Stage<O>) -> String {
        stage.accept();
        stage.settle();
        assert!(stage.outside.connect(true));
        for _ in 0..1000 {
            if enter(stage, Wait::Forever) > 0 {
                break;
            }
        }
        match stage.take_seen(ACCEPT) {
            Some(Seen::Accepted(Ok(_), _)) => "accepted".to_owned(),
            other => format!("{other:?}"),
        }
    }

    pub(super) fn left_over<O: Outside>(stage: &mut Stage<O>) -> String {
        for _ in 0..300 {
            assert!(stage.outside.connect(true));
        }
        stage.accept();
        let (mut most, mut accepted) = (0, 0);
        for _ in 0..20_000 {
            let had_more = stage.driver.has_more();
            let now_ns = stage.driver.now().monotonic_ns;
            let wait = if had_more { Wait::No } else { Wait::Until(now_ns + stage.outside.quiet_ns()) };
            let count = enter(stage, wait);
            assert!(!had_more || count > 0, "what was left over is there");
            most = most.max(count);
            while let Some(Seen::Accepted(result, more)) = stage.take_seen(ACCEPT) {
                result.expect("a connection");
                accepted += 1;
                if !more && accepted < 300 {
                    stage.accept();
                }
            }
            if accepted == 300 {
                break;
            }
        }
        assert!(most <= COMPLETIONS_PER_TURN, "{most} in a turn");
        format!("{accepted} accepted, at most {COMPLETIONS_PER_TURN} a turn")
    }

    pub(super) fn clocks<O: Outside>(stage: &mut Stage<O>) -> String {
        let first = stage.driver.now();
        let mut last = first;
        for _ in 0..20 {
            stage.turn();
            let now = stage.driver.now();
            assert!(now.monotonic_ns >= last.monotonic_ns, "{now:?} after {last:?}");
            last = now;
        }
        let monotonic_us = (last.monotonic_ns - first.monotonic_ns) / 1000;
        let wall_us = last.unix_us.saturating_sub(first.unix_us);
        let distance = monotonic_us.abs_diff(wall_us);
        if distance < 50_000 && monotonic_us > 0 {
            "forward".to_owned()
        } else {
            format!("{first:?} {last:?}")
        }
    }
}
