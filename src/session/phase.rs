//! The life of a session, as states and the only transitions between them.

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The socket is upgraded, the session is being announced; envelopes wait.
    Opening,
    /// Envelopes are handled.
    Open,
    /// A close frame is under way; nothing is handled or sent any more, memberships are gone.
    Closing,
    /// The socket is gone and the slot is free.
    Closed,
}

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The session is announced to the owners that must know of it.
    Announced,
    /// The server wants it closed: a bad frame, a kick, a drain, a slow reader, a missed pong.
    CloseAsked,
    /// The socket ended, whoever began it.
    SocketGone,
}

/// What the transition obliges the session to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Nothing: the step means nothing in this phase.
    None,
    /// Handle the envelopes that waited for the announcement.
    Serve,
    /// Leave everything that was joined, then send the close frame.
    LeaveAndClose,
    /// Leave everything that was joined and free the slot; there is no socket to close.
    LeaveAndFree,
    /// Free the slot: everything was left when the closing began.
    Free,
}

impl Phase {
    /// The phase after `step`, and what the session has to do about it.
    pub fn after(self, step: Step) -> (Self, Duty) {
        match (self, step) {
            (Self::Opening, Step::Announced) => (Self::Open, Duty::Serve),
            (Self::Opening | Self::Open, Step::CloseAsked) => (Self::Closing, Duty::LeaveAndClose),
            (Self::Opening | Self::Open, Step::SocketGone) => (Self::Closed, Duty::LeaveAndFree),
            (Self::Closing, Step::SocketGone) => (Self::Closed, Duty::Free),
            (Self::Open | Self::Closing | Self::Closed, Step::Announced)
            | (Self::Closing | Self::Closed, Step::CloseAsked)
            | (Self::Closed, Step::SocketGone) => (self, Duty::None),
        }
    }

    /// Whether frames may still be sent to the client.
    pub fn speaks(self) -> bool {
        match self {
            Self::Opening | Self::Open => true,
            Self::Closing | Self::Closed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 4] = [Phase::Opening, Phase::Open, Phase::Closing, Phase::Closed];
    const STEPS: [Step; 3] = [Step::Announced, Step::CloseAsked, Step::SocketGone];

    /// Every order of steps, up to a length that visits each pair of transitions.
    fn runs(length: usize) -> Vec<Vec<Step>> {
        let mut all: Vec<Vec<Step>> = vec![vec![]];
        for _ in 0..length {
            all = all
                .iter()
                .flat_map(|run| STEPS.map(|step| run.iter().copied().chain([step]).collect()))
                .collect();
        }
        all
    }

    #[test]
    fn whatever_happens_memberships_are_left_once_and_the_slot_is_freed_once() {
        for run in runs(6) {
            let (mut phase, mut left, mut freed) = (Phase::Opening, 0, 0);
            for step in &run {
                let (next, duty) = phase.after(*step);
                left += u32::from(matches!(duty, Duty::LeaveAndClose | Duty::LeaveAndFree));
                freed += u32::from(matches!(duty, Duty::LeaveAndFree | Duty::Free));
                phase = next;
            }
            assert!(left <= 1 && freed <= 1, "{run:?} left {left} times, freed {freed} times");
            assert_eq!(freed == 1, phase == Phase::Closed, "{run:?}");
            assert_eq!(left == 1, !phase.speaks(), "{run:?}");
        }
    }

    #[test]
    fn a_phase_never_goes_back() {
        for (at, phase) in PHASES.iter().enumerate() {
            for step in STEPS {
                let after = PHASES.iter().position(|p| *p == phase.after(step).0).unwrap();
                assert!(after >= at, "{phase:?} after {step:?} goes back");
            }
        }
    }

    #[test]
    fn an_announcement_that_comes_after_the_close_does_not_reopen() {
        let (closing, _) = Phase::Opening.after(Step::CloseAsked);
        assert_eq!(closing.after(Step::Announced), (Phase::Closing, Duty::None));
    }
}
