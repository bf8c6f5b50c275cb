//! The threads that run sessions, one per core, each with a runtime of its own.
//!
//! A session stays on the thread it began on: its sockets are watched there, and whatever wakes it
//! does so without another thread. On runtimes that steal work from each other, every statement
//! paid for threads that woke each other.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::STACK_LEN;

/// The threads, until dropped: then what still runs on them ends at its next await.
pub(super) struct Crew {
    workers: Vec<Worker>,
}

struct Worker {
    runtime: Handle,
    /// Connections that it has.
    load: Arc<AtomicUsize>,
    /// Dropped, it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// One connection of a worker, until dropped.
pub(super) struct Burden(Arc<AtomicUsize>);

impl Drop for Burden {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Crew {
    /// As many threads as there are cores.
    ///
    /// # Errors
    /// A thread, or what it watches sockets with, cannot be had.
    pub(super) fn hire() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let workers = (0..cores).map(Worker::start).collect::<io::Result<_>>()?;
        Ok(Self { workers })
    }

    /// Runs the work on the thread that has the least connections. What it opens, it has to open
    /// there; and it holds on to its burden. (Put around the work, that would double its size.)
    pub(super) fn spawn<W: Future<Output = ()> + Send + 'static>(
        &self,
        tasks: &mut JoinSet<()>,
        work: impl FnOnce(Burden) -> W,
    ) {
        let load = |worker: &&Worker| worker.load.load(Ordering::Relaxed);
        let Some(worker) = self.workers.iter().min_by_key(load) else { return };
        worker.load.fetch_add(1, Ordering::Relaxed);
        let burden = Burden(Arc::clone(&worker.load));
        tasks.spawn_on(work(burden), &worker.runtime);
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let handle = runtime.handle().clone();
        let thread = thread::Builder::new()
            .name(format!("sessions-{number}"))
            .stack_size(STACK_LEN)
            .spawn(move || {
                // A sender that is gone says the same.
                let _ = runtime.block_on(stopped);
                // What a session has others do meanwhile may take long, and nobody waits for it.
                runtime.shutdown_background();
            })?;
        let load = Arc::default();
        Ok(Self { runtime: handle, load, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a thread of sessions has panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn work_goes_to_the_thread_that_has_the_least() {
        let crew = Crew { workers: (0..2).map(|n| Worker::start(n).unwrap()).collect() };
        let names = Arc::new(Mutex::new(Vec::new()));
        let (done, gate) = tokio::sync::watch::channel(false);
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let (names, mut gate) = (Arc::clone(&names), gate.clone());
            crew.spawn(&mut tasks, |burden| async move {
                let _burden = burden;
                names.lock().unwrap().push(thread::current().name().map(str::to_owned));
                let _ = gate.wait_for(|open| *open).await;
            });
        }
        done.send_replace(true);
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        let mut names = names.lock().unwrap().clone();
        names.sort();
        let name = |number| Some(format!("sessions-{number}"));
        assert_eq!(names, [name(0), name(0), name(1), name(1)]);
        assert!(crew.workers.iter().all(|worker| worker.load.load(Ordering::Relaxed) == 0));
    }

    #[tokio::test]
    async fn a_panic_is_its_own_end() {
        let crew = Crew { workers: vec![Worker::start(0).unwrap()] };
        let mut tasks = JoinSet::new();
        crew.spawn(&mut tasks, |burden| async {
            let _burden = burden;
            panic!("one of them")
        });
        assert!(tasks.join_next().await.unwrap().unwrap_err().is_panic());
        crew.spawn(&mut tasks, |burden| async { drop(burden) });
        tasks.join_next().await.unwrap().unwrap();
        assert_eq!(crew.workers[0].load.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_still_runs_ends_with_the_crew() {
        let crew = Crew { workers: vec![Worker::start(0).unwrap()] };
        let mut tasks = JoinSet::new();
        crew.spawn(&mut tasks, |_| std::future::pending());
        drop(crew);
        assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
    }
}
