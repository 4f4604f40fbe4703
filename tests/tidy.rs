#[test] fn placeholder_is_replaced_before_landing() { assert!(std::path::Path::new("Cargo.toml").exists()); }
