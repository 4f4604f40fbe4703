//! Threads that hash passwords, and nothing else does: never a shard's, never the store's, never the runtime's.
//!
//! A thread at full speed takes a whole core, so there are few, they are polite (nice 10), each hashes at most
//! [`limits::HASHES_PER_SECOND`], and what waits is bounded in number and time. Beyond that the answer is "try again",
//! at once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::password::{Compared, HashCost, Hasher, PasswordInput};
use super::weak;
use crate::limits;

/// The passwords that wait are too many, or one waited too long: nothing was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFull;

impl fmt::Display for PoolFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passwords wait to be looked at already: try again in a second", limits::HASH_QUEUE)
    }
}

impl std::error::Error for PoolFull {}

/// What a thread does.
enum Work {
    Compare(PasswordInput, Option<Zeroizing<String>>),
    Hash { input: PasswordInput, salt: [u8; 16], email: Box<str>, words: Vec<Box<str>> },
}

/// What came of it.
enum Done {
    Compared(Compared),
    Hashed(Zeroizing<String>),
    Weak,
    Failed,
}

struct Job {
    work: Work,
    deadline: Instant,
    done: oneshot::Sender<Option<Done>>,
}

#[derive(Default)]
struct Waiting {
    /// Those of known browsers go first.
    known: VecDeque<Job>,
    others: VecDeque<Job>,
    is_ending: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    runs: AtomicU64,
    refused: AtomicU64,
}

/// What the pool has done, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolFigures {
    /// Hashes that were computed.
    pub runs: u64,
    /// Passwords that were not looked at, because too many waited.
    pub refused: u64,
    /// Passwords that wait.
    pub waiting: usize,
}

/// How the pool works.
#[derive(Clone, Copy, Debug)]
pub struct PoolPlan {
    /// Threads; each holds the memory of one hash.
    pub threads: usize,
    /// What a hash costs.
    pub cost: HashCost,
    /// Hashes of one thread in a second; 0: as many as it can.
    pub per_second: u32,
}

impl PoolPlan {
    /// For a machine with so many cores.
    #[must_use]
    pub fn for_cores(cores: usize) -> Self {
        Self { threads: (cores / 4).max(1), cost: HashCost::REAL, per_second: limits::HASHES_PER_SECOND }
    }
}

/// See the module's page. Its threads end when it is dropped.
pub struct HashPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl fmt::Debug for HashPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashPool({} threads)", self.threads.len())
    }
}

/// Why a new password was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewPasswordFault {
    /// Try again: [`PoolFull`].
    Full,
    /// Everybody would try it first.
    Weak,
    /// The operating system gave no random bytes, or argon2 failed.
    Failed,
}

impl HashPool {
    /// Start the threads.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(pepper: &[u8; 32], plan: PoolPlan) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::new();
        for n in 0..plan.threads.max(1) {
            let (shared, hasher) = (Arc::clone(&shared), Hasher::new(pepper, plan.cost));
            let run = move || work(&shared, hasher, plan.per_second);
            threads.push(std::thread::Builder::new().name(format!("password-{n}")).spawn(run)?);
        }
        Ok(Self { shared, threads })
    }

    fn submit(&self, work: Work, is_known: bool) -> Result<oneshot::Receiver<Option<Done>>, PoolFull> {
        let (done, result) = oneshot::channel();
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.known.len() + waiting.others.len() >= limits::HASH_QUEUE {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            return Err(PoolFull);
        }
        let job = Job { work, deadline: Instant::now() + limits::HASH_WAIT, done };
        if is_known {
            waiting.known.push_back(job)
        } else {
            waiting.others.push_back(job)
        }
        drop(waiting);
        self.shared.wake.notify_one();
        Ok(result)
    }

    /// Compare a password with what is stored; `None` for an account that there is not, which takes as long.
    ///
    /// # Errors
    /// [`PoolFull`].
    pub async fn compare(
        &self,
        input: PasswordInput,
        stored: Option<Zeroizing<String>>,
        is_known: bool,
    ) -> Result<Compared, PoolFull> {
        let result = self.submit(Work::Compare(input, stored), is_known)?;
        match result.await {
            Ok(Some(Done::Compared(compared))) => Ok(compared),
            _ => Err(PoolFull),
        }
    }

    /// The text to store for a new password. `words`: what stands near the person, such as their name.
    ///
    /// # Errors
    /// [`NewPasswordFault`].
    pub async fn hash(
        &self,
        input: PasswordInput,
        folded_email: &str,
        words: Vec<Box<str>>,
    ) -> Result<Zeroizing<String>, NewPasswordFault> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| NewPasswordFault::Failed)?;
        let work = Work::Hash { input, salt, email: folded_email.into(), words };
        let result = self.submit(work, true).map_err(|PoolFull| NewPasswordFault::Full)?;
        match result.await {
            Ok(Some(Done::Hashed(text))) => Ok(text),
            Ok(Some(Done::Weak)) => Err(NewPasswordFault::Weak),
            Ok(Some(_)) => Err(NewPasswordFault::Failed),
            Ok(None) | Err(_) => Err(NewPasswordFault::Full),
        }
    }

    /// What it has done.
    #[must_use]
    pub fn figures(&self) -> PoolFigures {
        let waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        PoolFigures {
            runs: self.shared.runs.load(Ordering::Relaxed),
            refused: self.shared.refused.load(Ordering::Relaxed),
            waiting: waiting.known.len() + waiting.others.len(),
        }
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_ending = true;
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Hash a new password on the thread that asks: for the operator's command line.
///
/// # Errors
/// [`NewPasswordFault`].
pub fn hash_here(
    pepper: &[u8; 32],
    input: &PasswordInput,
    folded_email: &str,
    words: &[Box<str>],
) -> Result<Zeroizing<String>, NewPasswordFault> {
    if weak::is_weak(input, folded_email, words) {
        return Err(NewPasswordFault::Weak);
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| NewPasswordFault::Failed)?;
    Hasher::new(pepper, HashCost::REAL).hash(input, salt).ok_or(NewPasswordFault::Failed)
}

/// The next job; `None`: the end.
fn next(shared: &Shared) -> Option<Job> {
    let mut waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if waiting.is_ending {
            return None;
        }
        if let Some(job) = waiting.known.pop_front() {
            return Some(job);
        }
        if let Some(job) = waiting.others.pop_front() {
            return Some(job);
        }
        waiting = shared.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
    }
}

fn work(shared: &Shared, mut hasher: Hasher, per_second: u32) {
    // Others go first. Where that is not allowed it hashes at the usual priority.
    let _ = rustix::process::nice(limits::HASH_NICE);
    let mut bucket = Bucket::new(per_second);
    while let Some(job) = next(shared) {
        bucket.wait();
        if Instant::now() >= job.deadline {
            shared.refused.fetch_add(1, Ordering::Relaxed);
            let _ = job.done.send(None);
            continue;
        }
        let done = match job.work {
            Work::Compare(input, stored) => {
                shared.runs.fetch_add(1, Ordering::Relaxed);
                Done::Compared(hasher.compare(&input, stored.as_ref().map(|text| text.as_str())))
            }
            Work::Hash { input, salt, email, words } => {
                if weak::is_weak(&input, &email, &words) {
                    Done::Weak
                } else {
                    shared.runs.fetch_add(1, Ordering::Relaxed);
                    hasher.hash(&input, salt).map_or(Done::Failed, Done::Hashed)
                }
            }
        };
        let _ = job.done.send(Some(done));
    }
}

/// So many a second, and some more after a rest.
struct Bucket {
    per_second: u32,
    left: f64,
    at: Instant,
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        Self { per_second, left: f64::from(limits::HASH_BURST), at: Instant::now() }
    }

    fn wait(&mut self) {
        if self.per_second == 0 {
            return;
        }
        let now = Instant::now();
        self.left += now.duration_since(self.at).as_secs_f64() * f64::from(self.per_second);
        self.left = self.left.min(f64::from(limits::HASH_BURST));
        self.at = now;
        if self.left < 1.0 {
            std::thread::sleep(Duration::from_secs_f64((1.0 - self.left) / f64::from(self.per_second)));
            (self.left, self.at) = (1.0, Instant::now());
        }
        self.left -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(per_second: u32) -> HashPool {
        HashPool::start(&[1; 32], PoolPlan { threads: 1, cost: HashCost::TEST, per_second }).expect("starts")
    }

    #[tokio::test]
    async fn threat_7_unknown_accounts_cost_one_run_too() {
        let pool = pool(0);
        let input = PasswordInput::of(b"correct horse battery", "e@x");
        let stored = pool.hash(input.clone(), "e@x", Vec::new()).await.expect("hashes");
        let runs = pool.figures().runs;
        assert!(pool.compare(input.clone(), Some(stored), false).await.expect("room").is_right);
        assert_eq!(pool.figures().runs, runs + 1);
        assert!(!pool.compare(input, None, false).await.expect("room").is_right);
        assert_eq!(pool.figures().runs, runs + 2);
    }

    #[tokio::test]
    async fn weak_passwords_are_not_taken() {
        let pool = pool(0);
        for weak in ["password1", "Qwerty123", "eve2024!", "acme2026"] {
            let input = PasswordInput::of(weak.as_bytes(), "eve@example.com");
            let words = vec!["Acme".into()];
            assert_eq!(pool.hash(input, "eve@example.com", words).await.err(), Some(NewPasswordFault::Weak), "{weak}");
        }
    }

    #[tokio::test]
    async fn what_is_too_much_is_refused_at_once() {
        let pool = pool(1);
        let input = PasswordInput::of(b"x", "e@x");
        // The burst is used up, then it is one a second: the queue fills.
        for _ in 0..limits::HASH_BURST {
            pool.compare(input.clone(), None, false).await.expect("room");
        }
        let mut results = Vec::new();
        let mut full = 0;
        for _ in 0..200 {
            match pool.submit(Work::Compare(input.clone(), None), false) {
                Ok(result) => results.push(result),
                Err(PoolFull) => full += 1,
            }
        }
        assert!(full > 100, "{full}");
        assert!(pool.figures().waiting <= limits::HASH_QUEUE);
        let mut late = 0;
        for result in results {
            late += u64::from(matches!(result.await, Ok(None)));
        }
        assert!(late > 0, "those that waited for more than a second are given back");
        assert_eq!(pool.figures().refused, full + late);
    }
}
