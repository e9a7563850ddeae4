use super::*;
use crate::results::sample;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn three_files_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("deep/er");
    prepare(&out).unwrap();
    assert_eq!(names(&out), [""; 0], "looking leaves nothing behind");
    let results = sample::full();
    let files = deliver(&out, &results).unwrap();
    assert_eq!(names(&out), ["report.html", "results.csv", "results.json"]);
    assert_eq!(json::read(&files.json).unwrap(), results);
    assert!(
        fs::read_to_string(&files.csv)
            .unwrap()
            .starts_with("record,")
    );
    assert!(
        fs::read_to_string(&files.html)
            .unwrap()
            .ends_with("</html>\n")
    );
    // Again: replaced.
    deliver(&out, &sample::empty()).unwrap();
    assert_eq!(json::read(&files.json).unwrap(), sample::empty());
    assert_eq!(names(&out).len(), 3);
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "kept").unwrap();
    for out in [file.clone(), file.join("below")] {
        for said in [prepare(&out).err(), deliver(&out, &sample::empty()).err()] {
            let said = said.unwrap().to_string();
            assert!(
                said.starts_with(&format!("{}: the folder", out.display())),
                "{said}"
            );
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
    // A folder in which nothing can be made, for root too.
    let said = prepare(Path::new("/proc")).unwrap_err().to_string();
    assert!(
        said.starts_with("/proc/results.json: cannot be written"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_replaced_leaves_all_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("results.json"), "old").unwrap();
    fs::create_dir(folder.path().join("report.html")).unwrap();
    let said = deliver(folder.path(), &sample::full())
        .unwrap_err()
        .to_string();
    assert!(said.contains("report.html: cannot be written"), "{said}");
    assert_eq!(names(folder.path()), ["report.html", "results.json"]);
    assert_eq!(
        fs::read_to_string(folder.path().join("results.json")).unwrap(),
        "old"
    );
}

#[test]
fn a_number_that_is_none_costs_its_record_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut results = sample::full();
    results.cpu_fit[0].fit.a = f64::NAN;
    let files = deliver(folder.path(), &results).unwrap();
    let back = json::read(&files.json).unwrap();
    assert_eq!(back.cpu_fit.len(), results.cpu_fit.len() - 1);
    assert_eq!(back.trials, results.trials);
}
