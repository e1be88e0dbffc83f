//! Local tasks: futures of one shard, polled in its turns, in an order that the driver may choose.
//!
//! A waker only pushes onto the queue of the shard that made it: it assumes neither a thread nor a current shard. It is
//! meant to be used on the shard's own thread (other threads send messages, which also wake a sleeping core), so the
//! queue's lock is never contended.

use async_task::Runnable;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<Runnable>>,
}

impl Ready {
    fn with<R>(&self, act: impl FnOnce(&mut VecDeque<Runnable>) -> R) -> R {
        act(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The tasks of one shard.
#[derive(Default)]
pub struct Tasks {
    ready: Arc<Ready>,
    alive: Rc<Cell<usize>>,
}

struct Alive(Rc<Cell<usize>>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Tasks {
    /// Starts a task; it runs first in the turn's own place for tasks. Nobody cancels it.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.alive.set(self.alive.get() + 1);
        let alive = Alive(self.alive.clone());
        let ready = self.ready.clone();
        let (runnable, task) = async_task::spawn_local(
            async move {
                let _alive = alive;
                future.await;
            },
            move |runnable| ready.with(|queue| queue.push_back(runnable)),
        );
        task.detach();
        runnable.schedule();
    }

    /// Tasks that have not ended.
    pub fn alive(&self) -> usize {
        self.alive.get()
    }

    /// Whether one can run.
    pub fn is_ready(&self) -> bool {
        self.ready.with(|queue| !queue.is_empty())
    }

    /// Polls at most `most` ready tasks; `choose(n)` says which of n goes next. A panic ends the task it happened in;
    /// what that task owned is dropped. Returns how many panicked.
    pub(crate) fn run(&self, most: usize, mut choose: impl FnMut(usize) -> usize) -> usize {
        let mut panicked = 0;
        for _ in 0..most {
            let Some(runnable) = self.ready.with(|queue| match queue.len() {
                0 => None,
                count => queue.remove(choose(count)),
            }) else {
                break;
            };
            if catch_unwind(AssertUnwindSafe(|| runnable.run())).is_err() {
                panicked += 1;
            }
        }
        panicked
    }
}

enum Slot<T> {
    Waiting(Option<Waker>),
    Done(T),
}

struct Table<T> {
    slots: Slab<(u32, Slot<T>)>,
    generation: u32,
}

/// Those of a shard's tasks that wait for a `T` each, found by ticket.
pub struct Waiters<T> {
    table: Rc<RefCell<Table<T>>>,
}

impl<T> Clone for Waiters<T> {
    fn clone(&self) -> Self {
        Waiters { table: self.table.clone() }
    }
}

impl<T> Default for Waiters<T> {
    fn default() -> Self {
        Waiters { table: Rc::new(RefCell::new(Table { slots: Slab::new(), generation: 0 })) }
    }
}

impl<T> Waiters<T> {
    /// A place to wait in; its ticket is unique until 2^32 further ones were taken.
    pub fn register(&self) -> Waiter<T> {
        let mut table = self.table.borrow_mut();
        table.generation = table.generation.wrapping_add(1);
        let generation = table.generation;
        let index = table.slots.insert((generation, Slot::Waiting(None)));
        Waiter { table: self.table.clone(), index, ticket: u64::from(generation) << 32 | index as u64 }
    }

    /// Hands over what `ticket` waits for; gives it back if nobody does any more.
    pub fn complete(&self, ticket: u64, value: T) -> Result<(), T> {
        let waker = {
            let mut table = self.table.borrow_mut();
            match table.slots.get_mut(ticket as u32 as usize) {
                Some((generation, slot @ Slot::Waiting(_))) if u64::from(*generation) == ticket >> 32 => {
                    match std::mem::replace(slot, Slot::Done(value)) {
                        Slot::Waiting(waker) => waker,
                        Slot::Done(_) => None,
                    }
                }
                _ => return Err(value),
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// How many wait or have not yet looked.
    pub fn len(&self) -> usize {
        self.table.borrow().slots.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Resolves to what [`Waiters::complete`] was given; dropping it gives the place up.
pub struct Waiter<T> {
    table: Rc<RefCell<Table<T>>>,
    index: usize,
    ticket: u64,
}

impl<T> Waiter<T> {
    /// To be handed back with the value.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }
}

impl<T> Future for Waiter<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut table = self.table.borrow_mut();
        let slot = &mut table.slots[self.index].1;
        match std::mem::replace(slot, Slot::Waiting(None)) {
            Slot::Done(value) => Poll::Ready(value),
            Slot::Waiting(_) => {
                *slot = Slot::Waiting(Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        let removed = self.table.borrow_mut().slots.remove(self.index);
        drop(removed);
    }
}

#[cfg(test)]
mod tests;
