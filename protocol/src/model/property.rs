//! Names of widget properties that a device may set.

/// The legacy server's list and what the current cloud added; sorted, for the search.
const KNOWN: [&str; 30] = [
    "autoplay",
    "color",
    "contentDesign",
    "isDisabled",
    "isHidden",
    "isMuted",
    "isOnPlay",
    "label",
    "labels",
    "loop",
    "max",
    "maximumFractionDigits",
    "min",
    "offBackColor",
    "offColor",
    "offImageUrl",
    "offLabel",
    "onBackColor",
    "onColor",
    "onImageUrl",
    "onLabel",
    "opacity",
    "page",
    "rotation",
    "scale",
    "step",
    "suffix",
    "url",
    "urls",
    "valueFormatting",
];

/// Does a widget property of this name exist? Case matters.
#[must_use]
pub fn is_known_property(name: &str) -> bool {
    KNOWN.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_searched() {
        assert!(KNOWN.is_sorted());
        assert!(
            KNOWN.iter().all(|name| is_known_property(name) && name.len() <= crate::limits::MAX_PROPERTY_NAME_BYTES)
        );
        for documented in ["page", "loop", "autoplay", "onImageUrl", "offImageUrl", "contentDesign"] {
            assert!(is_known_property(documented), "{documented}");
        }
        assert!(!is_known_property("Color") && !is_known_property(""));
    }
}
