//! The inputs that the fuzz target `nscd` was fed to reach all of the parser.

#[path = "../../../fuzz/checks/nscd.rs"]
mod check;

use std::path::Path;

#[test]
fn every_kept_input_is_read_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/nscd");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let input = std::fs::read(file.unwrap().path()).unwrap();
        // As the fuzzer cuts it.
        if let Some((number, bytes)) = input.split_first() {
            check::holds(*number, bytes);
            count += 1;
        }
    }
    assert!(count > 50, "only {count} inputs found");
}
