//! The browser application, as the shards serve it.

use linchpin_console::File;
use linchpin_protocol::http::{Asset, AssetTable, CacheClass};

/// The table of files that the shards share. Made once a run, and never given back.
pub(super) fn assets() -> AssetTable {
    let files: Vec<Asset> = linchpin_console::FILES.iter().map(asset).collect();
    AssetTable::new(Box::leak(files.into_boxed_slice()))
}

fn asset(file: &'static File) -> Asset {
    let is_page = file.path == linchpin_console::page().path;
    Asset {
        path: file.path,
        media_type: file.media_type,
        identity: file.identity,
        gzip: file.gzip,
        brotli: file.brotli,
        tag: file.tag,
        cache: if file.is_immutable { CacheClass::Immutable } else { CacheClass::Revalidate },
        fields: if is_page { linchpin_console::PAGE_FIELDS } else { &[] },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_in_the_table_with_its_policy() {
        let table = assets();
        let page = table.page().expect("there is always a page");
        assert!(page.fields.iter().any(|(name, _)| *name == "Content-Security-Policy"));
        assert_eq!(page.cache, CacheClass::Revalidate);
        for file in linchpin_console::FILES {
            let found = table.get(file.path).expect("every file is in the table");
            assert_eq!(found.cache == CacheClass::Immutable, file.is_immutable, "{}", file.path);
        }
        assert!(table.get("/assets/nothing.js").is_none());
    }
}
