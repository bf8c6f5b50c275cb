//! `SHOW POLICIES`

use super::{actions, list, words};
use crate::control::table::{Cell, Column};
use crate::grant::{Pattern, Policies, SecondFactor, Subject, Urgency};
use crate::model::show_duration;

pub(super) const COLUMNS: &[Column] = &[
    Column::int("position"),
    Column::text("name"),
    Column::text("subjects"),
    Column::text("resources"),
    Column::text("actions"),
    Column::text("max_duration"),
    Column::int("approvals"),
    Column::text("approvers"),
    Column::text("reason"),
    Column::text("conditions"),
    Column::text("limits"),
    Column::int("auto_per_week"),
    Column::int("denials"),
    Column::text("decide_within"),
    Column::text("urgency"),
    Column::text("second_factor"),
];

pub(super) fn rows(policies: &Policies) -> Vec<Vec<Cell>> {
    let row = |(index, policy): (usize, &crate::grant::Policy)| {
        vec![
            (index as u64 + 1).into(),
            policy.name.clone().into(),
            list(&policy.subjects, Subject::to_string),
            list(&policy.resources, Pattern::to_string),
            actions(policy.actions),
            show_duration(policy.max_duration).into(),
            u64::from(policy.approvals).into(),
            list(&policy.approvers, Subject::to_string),
            policy.reason.as_ref().map(|pattern| pattern.as_str()).into(),
            words(&policy.conditions),
            words(&policy.limits),
            policy.auto_per_week.map(u64::from).into(),
            u64::from(policy.denials).into(),
            show_duration(policy.decide_within).into(),
            match policy.urgency {
                Urgency::Ordinary => "ordinary".to_owned(),
                Urgency::BreakGlass => {
                    format!("break-glass, review within {}", show_duration(policy.review_within))
                }
            }
            .into(),
            policy.second_factor.map(SecondFactor::as_str).into(),
        ]
    };
    policies.0.iter().enumerate().map(row).collect()
}
