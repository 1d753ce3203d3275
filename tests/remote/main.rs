//! Copies that a server holds, over S3 and WebDAV, spoken to in earnest.

#[path = "../program/mod.rs"]
mod program;
mod server;

use std::fs;
use std::path::{Path, PathBuf};

use program::{Bed, Ran, noise, run};
use server::{PASSWORD, Server, USER};

/// A repository with three snapshots, and a copy of it in the folder of a server.
struct Place {
    bed: Bed,
    server: Server,
    /// Objects of the repository that a snapshot needs.
    objects: Vec<PathBuf>,
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

impl Place {
    fn new() -> Self {
        let bed = Bed::new();
        for n in 0..3 {
            bed.write("data/a", noise(n, 3 << 20));
            bed.write("data/b c", n.to_string());
            bed.run(&["snapshot", "data"]).ok();
        }
        copy(&bed.path("repo"), &bed.path("cloud/copies/of mine/siyuan/repo"));
        let objects = program::files(&bed.path("repo/objects")).into_keys();
        let objects = objects.map(|key| bed.path("repo/objects").join(key)).collect();
        let server = Server::start(&bed.path("cloud"));
        Self { bed, server, objects }
    }

    fn s3(&self) -> String {
        format!("s3:http://{}/copies/of%20mine/siyuan", self.server.address)
    }

    fn webdav(&self) -> String {
        format!("webdav:http://{USER}@{}/copies/of%20mine/siyuan/repo/", self.server.address)
    }

    fn ask_with(&self, address: &str, secret: &str) -> Ran {
        let mut command =
            self.bed.revu(&["--quiet", "check", "--read-data", "--repair-from", address]);
        command.env("AWS_ACCESS_KEY_ID", USER).env("AWS_SECRET_ACCESS_KEY", secret);
        run(command.env("REVU_WEBDAV_PASSWORD", secret))
    }

    fn ask(&self, address: &str) -> Ran {
        self.ask_with(address, PASSWORD)
    }
}

#[test]
fn what_is_lost_comes_back_from_a_server() {
    let place = Place::new();
    for address in [place.s3(), place.webdav()] {
        for (n, object) in place.objects.iter().enumerate() {
            match n % 3 {
                0 => fs::remove_file(object).unwrap(),
                1 => fs::write(object, b"").unwrap(),
                _ => {}
            }
        }
        for index in fs::read_dir(place.bed.path("repo/indexes")).unwrap() {
            fs::write(index.unwrap().path(), b"no index").unwrap();
        }
        assert_eq!(place.bed.run(&["check"]).code, Some(3));
        let repaired = place.ask(&address).ok();
        assert!(repaired.stdout.contains("taken from the copy"), "{address}: {repaired:?}");
        place.bed.is_whole();
    }
    assert!(!place.server.was_told(), "S3 never sends the secret, WebDAV encodes it");
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let place = Place::new();
    fs::remove_file(&place.objects[0]).unwrap();
    place.server.is_busy_for(2);
    place.ask(&place.s3()).ok();
    place.bed.is_whole();
    assert!(place.server.requests() > 2);
}

#[test]
fn who_is_refused_is_told_so() {
    let place = Place::new();
    fs::remove_file(&place.objects[0]).unwrap();
    let told = place.ask_with(&place.webdav(), "another-word").fails(1);
    assert!(told.contains("look at the user's name and password"), "{told}");
    assert!(told.contains("webdav:http://127.0.0.1"), "{told}");
    assert!(!told.contains("another-word"), "{told}");
    assert!(!place.objects[0].exists(), "and nothing has changed");
}

#[test]
fn what_cannot_be_reached_or_is_not_there() {
    let place = Place::new();
    fs::remove_file(&place.objects[0]).unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = place.ask(&format!("webdav:http://{closed}/")).fails(1);
    assert!(told.contains("cannot be read") && told.contains("refused"), "{told}");
    for address in [
        format!("webdav:http://{USER}@{}/elsewhere", place.server.address),
        format!("s3:http://{}/copies/elsewhere", place.server.address),
    ] {
        let told = place.ask(&address).fails(10);
        assert!(told.contains("there is no repository at"), "{told}");
    }
    let told = place.ask("webdav:https://me:hidden@host/").fails(2);
    assert!(told.contains("REVU_WEBDAV_PASSWORD") && !told.contains("hidden"), "{told}");
    assert!(place.ask("ftp://host/").fails(2).contains("webdav:https://"), "the form is told");
    assert_eq!(place.bed.run(&["check"]).code, Some(3), "nothing has changed");
}

#[test]
fn an_answer_that_ends_in_the_middle_is_not_believed() {
    let place = Place::new();
    fs::remove_file(&place.objects[0]).unwrap();
    place.server.cuts(true);
    let asked = place.ask(&place.webdav());
    assert_eq!(asked.code, Some(3), "{asked:?}");
    assert!(!place.objects[0].exists());
    place.server.cuts(false);
    place.ask(&place.webdav()).ok();
    place.bed.is_whole();
}

#[test]
fn without_tls_it_is_said() {
    let place = Place::new();
    let mut command = place.bed.revu(&["check", "--repair-from", &place.webdav()]);
    let asked = run(command.env("REVU_WEBDAV_PASSWORD", PASSWORD)).ok();
    assert!(asked.stderr.contains("not encrypted on the way"), "{asked:?}");
}
