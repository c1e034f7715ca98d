//! The kinds of personal data, by the names of the public interface.

use crate::{Error, Result};

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Entity {
    /// An e-mail address under a top-level domain that exists.
    Email,
    /// A telephone number.
    Phone,
    /// A payment card number (ISO/IEC 7812).
    Card,
    /// An international bank account number (ISO 13616).
    Iban,
    /// A public IPv4 or IPv6 address.
    Ip,
    /// A national identification number.
    NationalId,
    /// The `user:password` of a URL.
    UrlCredential,
    /// An API key, token, private key, or the value given to something called a password.
    Secret,
    /// An address of a cryptocurrency.
    Crypto,
    /// A pair of geographic coordinates.
    Geo,
    /// An IPv4 or IPv6 address of a private network.
    PrivateIp,
    /// The address of a web page or a file.
    Url,
    /// The name of a person; only where a caller's model found one.
    Person,
    /// A place or postal address; only where a caller's model found one.
    Location,
    /// The name of an organization; only where a caller's model found one.
    Organization,
}

impl Entity {
    /// Every kind, in the order of the public interface.
    pub const ALL: [Self; 15] = [
        Self::Email,
        Self::Phone,
        Self::Card,
        Self::Iban,
        Self::Ip,
        Self::NationalId,
        Self::UrlCredential,
        Self::Secret,
        Self::Crypto,
        Self::Geo,
        Self::PrivateIp,
        Self::Url,
        Self::Person,
        Self::Location,
        Self::Organization,
    ];

    /// The name in the public interface.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ip => "ip",
            Self::NationalId => "national_id",
            Self::UrlCredential => "url_credential",
            Self::Secret => "secret",
            Self::Crypto => "crypto",
            Self::Geo => "geo",
            Self::PrivateIp => "private_ip",
            Self::Url => "url",
            Self::Person => "person",
            Self::Location => "location",
            Self::Organization => "organization",
        }
    }

    /// The kind with this name.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] for a name that no entity has.
    pub fn named(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|entity| entity.name() == name).ok_or_else(|| Error::Parameter {
            name: "entities",
            value: name.to_owned(),
            allowed: "email phone card iban ip national_id url_credential secret crypto geo \
                      private_ip url person location organization",
        })
    }

    /// Which one stays when two findings overlap: the one that says more about its text.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Secret => 11,
            Self::UrlCredential => 10,
            Self::Crypto => 9,
            Self::Iban => 8,
            Self::Card => 7,
            Self::Email => 6,
            Self::Ip | Self::PrivateIp => 5,
            Self::Geo => 4,
            Self::NationalId => 3,
            Self::Phone => 2,
            Self::Url => 1,
            Self::Person | Self::Location | Self::Organization => 0,
        }
    }
}

/// A set of entities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entities(u16);

impl Entities {
    /// Every entity.
    pub const ALL: Self = Self((1 << Entity::ALL.len()) - 1);

    /// Whether `entity` is in the set.
    #[must_use]
    pub fn has(self, entity: Entity) -> bool {
        self.0 >> entity as u8 & 1 == 1
    }

    /// The entities of either set.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The set of the entities with these names.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] for a name that no entity has.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        names.into_iter().try_fold(Self::default(), |set, name| {
            Ok(Self(set.0 | 1 << Entity::named(name)? as u8))
        })
    }
}
