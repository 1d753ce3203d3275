//! A server of a folder over the part of S3 and of WebDAV that reading needs, for one user.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub const USER: &str = "gardener";
pub const PASSWORD: &str = "the-hidden-word";

pub struct Server {
    shared: Arc<Shared>,
    pub address: SocketAddr,
}

struct Shared {
    folder: PathBuf,
    requests: AtomicUsize,
    /// So many requests to come are answered with 503.
    busy: AtomicUsize,
    /// Answers end in the middle.
    cut: AtomicBool,
    /// What nobody may say in the open was said.
    told: AtomicBool,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn read(stream: &mut BufReader<&TcpStream>) -> Option<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let mut words = line.split_ascii_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let request = Self { method, path: decode(path), query: query.to_owned(), headers };
        let len = request.header("content-length").and_then(|len| len.parse().ok()).unwrap_or(0);
        stream.read_exact(&mut vec![0; len]).ok()?;
        Some(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| decode(value))
    }

    fn is_signed(&self) -> bool {
        let Some(said) = self.header("authorization") else { return false };
        if said.starts_with("AWS4-HMAC-SHA256 ") {
            return said.contains(&format!("Credential={USER}/")) && said.contains("Signature=");
        }
        said == format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")))
    }
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

fn plain(code: u16) -> Answer {
    (code, Vec::new(), Vec::new())
}

impl Server {
    pub fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            requests: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            cut: AtomicBool::new(false),
            told: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&serving));
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        Self { shared, address }
    }

    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    pub fn is_busy_for(&self, requests: usize) {
        self.shared.busy.store(requests, Ordering::SeqCst);
    }

    pub fn cuts(&self, yes: bool) {
        self.shared.cut.store(yes, Ordering::SeqCst);
    }

    /// Whether the password was seen where it can be read.
    pub fn was_told(&self) -> bool {
        self.shared.told.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        let mut input = BufReader::new(stream);
        while let Some(request) = Request::read(&mut input) {
            self.requests.fetch_add(1, Ordering::SeqCst);
            let hidden = |text: &str| text.contains(PASSWORD);
            if hidden(&request.path) || request.headers.iter().any(|(_, value)| hidden(value)) {
                self.told.store(true, Ordering::SeqCst);
            }
            let (code, headers, body) = self.answer(&request);
            let mut head = format!("HTTP/1.1 {code} answer\r\n");
            for (name, value) in &headers {
                write!(head, "{name}: {value}\r\n").unwrap();
            }
            let is_head = request.method == "HEAD";
            if !is_head {
                write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
            }
            head.push_str("\r\n");
            let cut = self.cut.load(Ordering::SeqCst)
                && code == 206
                && request.path.contains("/objects/");
            let shown = if is_head { 0 } else { body.len() - usize::from(cut) };
            let mut output = stream;
            let sent = output.write_all(&[head.as_bytes(), &body[..shown]].concat());
            if sent.is_err() || cut {
                return;
            }
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let less = |n: usize| n.checked_sub(1);
        if self.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            return plain(503);
        }
        if !request.is_signed() {
            return plain(403);
        }
        let file = self.folder.join(request.path.trim_matches('/'));
        match request.method.as_str() {
            "PROPFIND" => found(request, &file),
            "GET" if request.query.contains("list-type=2") => self.listed(request, &file),
            "GET" | "HEAD" => content(request, &file),
            _ => plain(405),
        }
    }

    /// One page of S3's list; a page has two names.
    fn listed(&self, request: &Request, bucket: &Path) -> Answer {
        assert_eq!(request.parameter("delimiter").as_deref(), Some("/"));
        let prefix = request.parameter("prefix").unwrap_or_default();
        let from = request.parameter("continuation-token").unwrap_or_default();
        let mut names = names(&bucket.join(prefix.trim_end_matches('/')));
        names.retain(|(name, _)| *name > from);
        let next = names.get(2).map(|_| names[1].0.clone());
        names.truncate(2);
        let mut xml = "<ListBucketResult>".to_owned();
        for (name, len) in names {
            match len {
                None => write!(xml, "<CommonPrefixes><Prefix>{prefix}{name}/</Prefix></CommonPrefixes>"),
                Some(len) => write!(
                    xml,
                    "<Contents><Key>{prefix}{name}</Key><Size>{len}</Size>\
                     <LastModified>2024-05-01T10:00:00.000Z</LastModified><ETag>\"e\"</ETag></Contents>"
                ),
            }
            .unwrap();
        }
        write!(xml, "<IsTruncated>{}</IsTruncated>", next.is_some()).unwrap();
        if let Some(next) = next {
            write!(xml, "<NextContinuationToken>{next}</NextContinuationToken>").unwrap();
        }
        xml.push_str("</ListBucketResult>");
        (200, vec![("Content-Type", "application/xml".into())], xml.into_bytes())
    }
}

/// Names in a folder, sorted, with the sizes of files; nothing where there is none.
fn names(folder: &Path) -> Vec<(String, Option<u64>)> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            (entry.file_name().into_string().unwrap(), meta.is_file().then_some(meta.len()))
        })
        .collect();
    names.sort();
    names
}

fn content(request: &Request, file: &Path) -> Answer {
    let Ok(bytes) = fs::read(file) else { return plain(404) };
    let last = ("Last-Modified", "Wed, 01 May 2024 10:00:00 GMT".to_owned());
    if request.method == "HEAD" {
        return (200, vec![last, ("Content-Length", bytes.len().to_string())], Vec::new());
    }
    let Some(range) = request.header("range") else { return (200, vec![last], bytes) };
    let (from, to) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let from: usize = from.parse().unwrap();
    let to = to.parse().map_or(bytes.len(), |to: usize| (to + 1).min(bytes.len()));
    let whole = format!("bytes {from}-{}/{}", to - 1, bytes.len());
    (206, vec![last, ("Content-Range", whole)], bytes[from..to].to_vec())
}

/// WebDAV's properties of a file, or of a folder and what is directly in it.
fn found(request: &Request, file: &Path) -> Answer {
    let Ok(meta) = fs::metadata(file) else { return plain(404) };
    let path = request.path.trim_end_matches('/');
    let mut all = vec![(path.to_owned(), meta.is_file().then_some(meta.len()))];
    if request.header("depth") == Some("1") && meta.is_dir() {
        all.extend(names(file).into_iter().map(|(name, len)| (format!("{path}/{name}"), len)));
    }
    let mut xml = "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">".to_owned();
    for (path, len) in all {
        let (slash, kind) = match len {
            None => ("/", "<D:resourcetype><D:collection/></D:resourcetype>".to_owned()),
            Some(len) => {
                ("", format!("<D:resourcetype/><D:getcontentlength>{len}</D:getcontentlength>"))
            }
        };
        write!(
            xml,
            "<D:response><D:href>{}{slash}</D:href><D:propstat><D:prop>{kind}\
             <D:getlastmodified>Wed, 01 May 2024 10:00:00 GMT</D:getlastmodified></D:prop>\
             <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>",
            path.replace(' ', "%20")
        )
        .unwrap();
    }
    xml.push_str("</D:multistatus>");
    (207, vec![("Content-Type", "application/xml".into())], xml.into_bytes())
}
