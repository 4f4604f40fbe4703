//! The first person: who sets the server up.

use linchpin_storage::schema::{Org, OrgId};

use super::person::NewPerson;
use super::{Loader, LoaderFault};
use crate::access::PersonRef;
use crate::audit::{AuditAction, By, Note, ObjectKind};

impl Loader {
    /// Is there nobody yet?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.directory().people() == 0
    }

    /// Make the first person, and give the first organization its name. Of two at once one gets through.
    ///
    /// # Errors
    /// [`LoaderFault::Spent`]: there is somebody already.
    pub(crate) fn first_person(
        &self,
        by: By,
        org_name: &str,
        new: &NewPerson,
        now_ms: u64,
    ) -> Result<PersonRef, LoaderFault> {
        super::org::org_name_fits(org_name)?;
        let org = OrgId::FIRST;
        let mut change = self.ledger.change(by, &[org], now_ms);
        if !self.is_empty() {
            return Err(LoaderFault::Spent);
        }
        let before = self.store.get::<Org>(&org)?.ok_or(LoaderFault::Missing)?;
        let after = Org { name: org_name.into(), ..before };
        change.batch.put(&org, &after)?;
        let id = self.add_person(&mut change, org, new)?;
        change.commit(org, Note::new(AuditAction::Bootstrap, ObjectKind::User, id.1, &new.name))?;
        self.change_directory(|directory| directory.tree.put(org, &after));
        self.person_added(id, new);
        Ok(id)
    }
}
