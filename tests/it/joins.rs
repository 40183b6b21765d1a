//! Joins of tables whose columns have the same names, as those of all resource types have: a statement has the rows that it has where
//! each column has a name of its own.

use crate::fixture::{Bench, ask, ingest};

/// Tables whose columns have names that no other has.
const APART: &str = "WITH patient AS (SELECT id AS patient_id, gender AS patient_gender, birthDate FROM Patient),
encounter AS (SELECT id AS encounter_id, status AS encounter_status, subject.__reference_id AS encounter_patient FROM Encounter),
observation AS (SELECT id AS observation_id, status AS observation_status, encounter.__reference_id AS observation_encounter,
  subject.__reference_id AS observation_patient FROM Observation),
condition AS (SELECT id AS condition_id, encounter.__reference_id AS condition_encounter FROM Condition)
";

/// A statement, and the same over `APART`.
const STATEMENTS: [(&str, &str); 10] = [
    // What has no partner on the other side, whichever is the smaller.
    (
        "SELECT c.id FROM Encounter e RIGHT JOIN Condition c ON c.encounter.__reference_id = e.id AND e.status = 'planned'
         WHERE e.id IS NULL ORDER BY c.id",
        "SELECT condition_id FROM encounter RIGHT JOIN condition ON condition_encounter = encounter_id AND encounter_status = 'planned'
         WHERE encounter_id IS NULL ORDER BY condition_id",
    ),
    (
        "SELECT o.id FROM Observation o LEFT JOIN Encounter e ON o.encounter.__reference_id = e.id AND e.id < '8'
         WHERE e.id IS NULL ORDER BY o.id",
        "SELECT observation_id FROM observation LEFT JOIN encounter ON observation_encounter = encounter_id AND encounter_id < '8'
         WHERE encounter_id IS NULL ORDER BY observation_id",
    ),
    (
        "SELECT e.id FROM Observation o RIGHT JOIN Encounter e ON o.encounter.__reference_id = e.id
         WHERE o.id IS NULL OR o.status <> e.status ORDER BY e.id",
        "SELECT encounter_id FROM observation RIGHT JOIN encounter ON observation_encounter = encounter_id
         WHERE observation_id IS NULL OR observation_status <> encounter_status ORDER BY encounter_id",
    ),
    (
        "SELECT e.id, c.id, o.id FROM Encounter e FULL JOIN Condition c ON c.encounter.__reference_id = e.id
         LEFT JOIN Observation o ON o.encounter.__reference_id = e.id AND o.id < '2' WHERE o.id IS NULL AND c.id IS NULL
         ORDER BY e.id",
        "SELECT encounter_id, condition_id, observation_id FROM encounter FULL JOIN condition ON condition_encounter = encounter_id
         LEFT JOIN observation ON observation_encounter = encounter_id AND observation_id < '2'
         WHERE observation_id IS NULL AND condition_id IS NULL ORDER BY encounter_id",
    ),
    // The key of a semi join is a filter of both of its sides.
    (
        "SELECT d.id, p.id FROM (SELECT id, subject.__reference_id AS who FROM Encounter ORDER BY id LIMIT 3) d
         JOIN (SELECT * FROM Patient p WHERE EXISTS
           (SELECT 1 FROM Encounter e WHERE e.subject.__reference_id = p.id AND e.id <> p.gender)) p ON p.id = d.who ORDER BY d.id",
        "SELECT d.encounter_id, p.patient_id FROM (SELECT encounter_id, encounter_patient AS who FROM encounter ORDER BY encounter_id LIMIT 3) d
         JOIN (SELECT * FROM patient WHERE EXISTS
           (SELECT 1 FROM encounter WHERE encounter_patient = patient_id AND encounter_id <> patient_gender)) p
         ON p.patient_id = d.who ORDER BY d.encounter_id",
    ),
    (
        "SELECT o.id FROM Observation o WHERE o.id < '4' AND o.encounter.__reference_id IN (SELECT e.id FROM Encounter e JOIN Condition c
           ON c.encounter.__reference_id = e.id AND c.id < '8') ORDER BY o.id",
        "SELECT observation_id FROM observation WHERE observation_id < '4' AND observation_encounter IN (SELECT encounter_id FROM encounter
           JOIN condition ON condition_encounter = encounter_id AND condition_id < '8') ORDER BY observation_id",
    ),
    // A limit is a filter too, as soon as so many rows are found.
    (
        "SELECT o.id, e.id FROM Observation o JOIN Encounter e ON o.encounter.__reference_id = e.id
         JOIN Patient p ON e.subject.__reference_id = p.id ORDER BY e.id DESC, o.id LIMIT 5",
        "SELECT observation_id, encounter_id FROM observation JOIN encounter ON observation_encounter = encounter_id
         JOIN patient ON encounter_patient = patient_id ORDER BY encounter_id DESC, observation_id LIMIT 5",
    ),
    (
        "SELECT p.id, e.id, o.id FROM Patient p JOIN Encounter e ON e.subject.__reference_id = p.id
         JOIN Observation o ON o.encounter.__reference_id = e.id ORDER BY o.id LIMIT 5",
        "SELECT patient_id, encounter_id, observation_id FROM patient JOIN encounter ON encounter_patient = patient_id
         JOIN observation ON observation_encounter = encounter_id ORDER BY observation_id LIMIT 5",
    ),
    // The keys of a join are a filter of its other side, which is a join here.
    (
        "SELECT count(*), count(DISTINCT e.id), count(DISTINCT o.id) FROM Condition c
         JOIN (Encounter e JOIN Observation o ON o.encounter.__reference_id = e.id) ON c.encounter.__reference_id = e.id
         WHERE c.id < '8'",
        "SELECT count(*), count(DISTINCT encounter_id), count(DISTINCT observation_id) FROM condition
         JOIN (encounter JOIN observation ON observation_encounter = encounter_id) ON condition_encounter = encounter_id
         WHERE condition_id < '8'",
    ),
    (
        "SELECT p.id, count(*) FROM Patient p JOIN (SELECT o.id, e.id, e.subject.__reference_id AS who FROM Observation o
           LEFT JOIN Encounter e ON o.encounter.__reference_id = e.id GROUP BY o.id, e.id, who) AS seen ON p.id = who
         WHERE p.gender = 'female' GROUP BY p.id ORDER BY p.id",
        "SELECT patient_id, count(*) FROM patient JOIN (SELECT observation_id, encounter_id, encounter_patient AS who FROM observation
           LEFT JOIN encounter ON observation_encounter = encounter_id GROUP BY observation_id, encounter_id, who) AS seen
         ON patient_id = who WHERE patient_gender = 'female' GROUP BY patient_id ORDER BY patient_id",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_is_about_the_column_that_it_names_and_no_other_of_the_name() {
    let bench = Bench::new();
    let lake = bench.lake("lake");
    for name in ["small-v1", "small-v2"] {
        ingest(&lake, &[bench.path(name)]).await.unwrap();
    }
    for (statement, apart) in STATEMENTS {
        let expected = ask(&lake, &format!("{APART}{apart}")).await.unwrap();
        assert!(!expected.is_empty(), "{statement}");
        assert_eq!(ask(&lake, statement).await.unwrap(), expected, "{statement}");
    }
}
