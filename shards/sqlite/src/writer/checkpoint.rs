//! When the log is copied back into the database: after the answers of a group, never inside COMMIT.

use crate::bounds::{CHECKPOINT_FRAMES_HIGH, CHECKPOINT_FRAMES_STEP, CHECKPOINT_WAIT};
use crate::link::Link;
use rusqlite::wal::CheckpointMode;
use std::time::Duration;

/// Remembers what the last attempt achieved. Readers may hold the log, then trying again after every group would be in vain.
pub(super) struct Checkpoints {
    frames_seen: u32,
    next_at: u32,
    /// From which on it is time.
    first_at: u32,
}

impl Checkpoints {
    pub(super) fn new(first_at: u32) -> Checkpoints {
        Checkpoints { frames_seen: 0, next_at: first_at, first_at }
    }

    /// Makes a checkpoint if it is time. Says whether it did.
    pub(super) fn after_group(&mut self, link: &Link) -> rusqlite::Result<bool> {
        let frames = link.log_frames();
        if frames < self.frames_seen {
            // The log started anew.
            self.next_at = self.first_at;
        }
        self.frames_seen = frames;
        if frames < self.next_at {
            return Ok(false);
        }
        self.next_at = frames.saturating_add(CHECKPOINT_FRAMES_STEP);
        let connection = link.connection();
        let made = if frames < CHECKPOINT_FRAMES_HIGH {
            connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE)
        } else {
            connection.busy_timeout(CHECKPOINT_WAIT)?;
            let made = connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::RESTART);
            connection.busy_timeout(Duration::ZERO)?;
            made
        };
        match made {
            // Readers held it, or another process is at it: what was possible is done.
            Err(error) if crate::link::is_busy(&error) => Ok(true),
            made => made.map(|_| true),
        }
    }
}
