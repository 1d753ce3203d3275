//! Repositories that servers hold.

use zeroize::Zeroizing;

use crate::format::layout;
use crate::siyuan::workspace::REPOSITORY;
use crate::store::{Address, Credentials, Store};

use super::context::Context;
use super::env::{Environment, Secret};
use super::error::{Failure, NO_REPOSITORY, failure, usage};

/// The repository at an address, or in the folder `repo` there.
///
/// # Errors
/// Exit code 10 where there is none; 1 where that cannot be told.
pub fn open(address: &Address, context: &Context) -> Result<Store, Failure> {
    if address.is_plain() {
        log::warn!("{address} is not encrypted on the way: others may see the password");
    }
    let who = credentials(address, &context.environment)?;
    for place in [address, &address.join(REPOSITORY)] {
        let store = Store::remote(place, &who)?;
        let there = store.list("")?;
        let has = |name: &str| there.iter().any(|listed| listed.is_folder && listed.name == name);
        if has(layout::INDEXES) && has(layout::OBJECTS) {
            return Ok(store);
        }
    }
    let sentence =
        format!("there is no repository at {address}: look whether the address is right");
    Err(failure("no_repository", NO_REPOSITORY, sentence))
}

/// What an address text means; `None` where it is a path of this computer.
///
/// # Errors
/// Exit code 2 where it is an address that cannot be used.
pub fn address(text: &std::ffi::OsStr) -> Result<Option<Address>, Failure> {
    let parsed = text.to_str().and_then(Address::parse).transpose();
    parsed.map_err(|error| usage(error.to_string()))
}

/// Who asks, as the environment says.
///
/// # Errors
/// Where a password is no text.
fn credentials(address: &Address, environment: &Environment) -> Result<Credentials, Failure> {
    let text = |secret: &Option<Secret>, name: &str| match secret {
        None => Ok(None),
        Some(Secret(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
            Err(_) => Err(usage(format!("{name} is no text in UTF-8"))),
        },
    };
    if address.is_webdav() {
        let secret = text(&environment.webdav_password, "REVU_WEBDAV_PASSWORD")?;
        let user = environment.webdav_user.clone();
        return Ok(Credentials { user, secret, ..Credentials::default() });
    }
    let aws = &environment.aws;
    Ok(Credentials {
        user: aws.key_id.clone(),
        secret: text(&aws.secret, "AWS_SECRET_ACCESS_KEY")?,
        token: text(&aws.token, "AWS_SESSION_TOKEN")?,
        region: aws.region.clone(),
    })
}
