//! Whoever takes too long, or too much memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, Once};
use std::time::{Duration, Instant};

/// A deed on so small a repository that takes longer hangs, on a machine however slow.
const MOST_TIME: Duration = Duration::from_secs(300);

/// All that the rows of this program hold together at their worst, bytes: each may expand 256 MiB at a
/// time, and as many run side by side as there are processors.
const MOST_MEMORY: usize = 1 << 30;

static CELLS: LazyLock<Mutex<HashMap<std::thread::ThreadId, (String, Instant)>>> =
    LazyLock::new(Mutex::default);

/// Ends the program when a cell takes too long.
pub fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        drop(std::thread::spawn(|| {
            loop {
                std::thread::sleep(Duration::from_secs(1));
                let cells = CELLS.lock().unwrap();
                if let Some((cell, _)) = cells.values().find(|(_, at)| at.elapsed() > MOST_TIME) {
                    eprintln!("{cell}: it hangs");
                    std::process::abort();
                }
            }
        }));
    });
}

/// Until it is dropped.
pub struct Watched;

pub fn this(cell: &str) -> Watched {
    let id = std::thread::current().id();
    CELLS.lock().unwrap().insert(id, (cell.to_owned(), Instant::now()));
    Watched
}

impl Drop for Watched {
    fn drop(&mut self) {
        CELLS.lock().unwrap().remove(&std::thread::current().id());
    }
}

/// The system's allocator, counting.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        let held = HELD.fetch_add(new, Ordering::Relaxed) + new;
        PEAK.fetch_max(held, Ordering::Relaxed);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, new) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

pub fn memory_is_bounded() {
    let peak = PEAK.load(Ordering::Relaxed);
    println!("at most {} MiB were held", peak >> 20);
    assert!(peak < MOST_MEMORY, "{peak} bytes were held");
}
