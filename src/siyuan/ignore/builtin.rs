//! What a snapshot leaves out whatever the user says: SiYuan's own ignore rules and its rules of
//! the walk (format page, How DejaVu makes a snapshot; the golden states hold a case of each).

/// The lines that SiYuan joins to the user's: the user guides, their databases, and an old
/// configuration file.
pub const LINES: [&str; 17] = [
    "/.siyuan/conf.json",
    "20210808180117-6v0mkxr/**/*",
    "20210808180117-czj9bvb/**/*",
    "20211226090932-5lcq56f/**/*",
    "20240530133126-axarxgx/**/*",
    "/storage/av/20240208172719-6qv16cr.json",
    "/storage/av/20240208172742-57vwxqw.json",
    "/storage/av/20240208173528-oq4elsj.json",
    "/storage/av/20240208155809-en6nazm.json",
    "/storage/av/20240208155918-uylgwbj.json",
    "/storage/av/20240208163918-rxu3llx.json",
    "/storage/av/20240208171654-5egzrvx.json",
    "/storage/av/20240208171724-zfkzgwi.json",
    "/storage/av/20240208172113-d44j7tk.json",
    "/storage/av/20240530133134-c2251lc.json",
    "/storage/av/20240530133134-tcqdrt2.json",
    "/storage/av/20240530133134-wlxgyny.json",
];

/// Files that belong to one device alone.
const OF_THIS_DEVICE: [&str; 3] =
    ["/storage/local.json", "/storage/recent-doc.json", "/storage/ref-used.json"];

/// Whether a walk enters a folder of this name. The data folder itself is entered whatever its
/// name is.
pub fn enter_folder(name: &str) -> bool {
    (!name.starts_with('.') || name == ".siyuan") && name != "filesys_status_check"
}

/// Whether a walk takes a regular file, by its path within the data folder (`/`-separated,
/// starting with `/`) and its name, the path's last part. Nothing but regular files is ever taken,
/// and what [`IgnoreRules`](super::IgnoreRules) ignore is not either.
pub fn take_file(path: &str, name: &str) -> bool {
    // SiYuan compares the ends of absolute paths with `data/storage/…`, so such a file in a folder
    // further down is left out as well, if that folder's name ends in `data`.
    let of_this_device = OF_THIS_DEVICE.iter().any(|file| {
        path.strip_suffix(file).is_some_and(|above| above.is_empty() || above.ends_with("data"))
    });
    !name.starts_with('.') && !name.ends_with(".tmp") && !of_this_device
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders() {
        for name in [".git", ".", "..siyuan", ".siyuan2", "filesys_status_check"] {
            assert!(!enter_folder(name), "{name}");
        }
        for name in [".siyuan", "assets", "a.tmp", "filesys_status_check2", "标签", " .x"] {
            assert!(enter_folder(name), "{name}");
        }
    }

    #[test]
    fn files() {
        for (path, taken) in [
            ("/a.sy", true),
            ("/.a", false),
            ("/a/.siyuan/sort.json", true),
            ("/a/标签.tmp", false),
            ("/a.tmp.txt", true),
            ("/a.TMP", true),
            ("/.tmp", false),
            ("/storage/local.json", false),
            ("/storage/recent-doc.json", false),
            ("/storage/ref-used.json", false),
            ("/storage/av/local.json", true),
            ("/a/storage/local.json", true),
            ("/a/data/storage/local.json", false),
            ("/metadata/storage/ref-used.json", false),
            ("/xstorage/local.json", true),
        ] {
            let name = path.rsplit('/').next().unwrap();
            assert_eq!(take_file(path, name), taken, "{path}");
        }
    }
}
