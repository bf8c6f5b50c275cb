//! `/api/v1/policies`: who may ask for what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{Listed, Paging};
use super::problem::Problem;
use super::sign_in::SignedIn;
use super::views::{LimitsView, Page, words};
use crate::control::{Desk, lookup};
use crate::grant::{CatalogView, Pattern, Policy, Resource, SecondFactor, Subject, Urgency};
use crate::model::show_duration;

/// A policy. The first that speaks of who asks, what for and how urgently decides.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Policy)]
pub(super) struct PolicyView {
    /// From 1, in the configuration's order.
    position: u64,
    name: String,
    subjects: Vec<String>,
    resources: Vec<String>,
    /// `read, lookup`
    actions: String,
    max_duration: String,
    /// How many different people must approve; 0: granted at once.
    approvals: u32,
    /// Who approves; of break-glass access, who reviews.
    approvers: Vec<String>,
    /// What has to be found in the reason: a regular expression.
    reason: Option<String>,
    conditions: Option<String>,
    limits: LimitsView,
    /// How many grants a user gets at once in seven days.
    auto_per_week: Option<u32>,
    denials: u32,
    decide_within: String,
    /// `ordinary` or `break-glass`
    urgency: String,
    /// Of break-glass access: how long it waits for its review.
    review_within: Option<String>,
    second_factor: Option<String>,
}

impl PolicyView {
    fn new(index: usize, policy: &Policy) -> Self {
        let ordinary = policy.urgency == Urgency::Ordinary;
        let list = |subjects: &[Subject]| subjects.iter().map(Subject::to_string).collect();
        Self {
            position: index as u64 + 1,
            name: policy.name.clone(),
            subjects: list(&policy.subjects),
            resources: policy.resources.iter().map(Pattern::to_string).collect(),
            actions: policy.actions.to_string(),
            max_duration: show_duration(policy.max_duration),
            approvals: policy.approvals,
            approvers: list(&policy.approvers),
            reason: policy.reason.as_ref().map(|pattern| pattern.as_str().to_owned()),
            conditions: words(&policy.conditions),
            limits: (&policy.limits).into(),
            auto_per_week: policy.auto_per_week,
            denials: policy.denials,
            decide_within: show_duration(policy.decide_within),
            urgency: if ordinary { "ordinary" } else { "break-glass" }.to_owned(),
            review_within: (!ordinary).then(|| show_duration(policy.review_within)),
            second_factor: policy.second_factor.map(|factor: SecondFactor| factor.as_str().into()),
        }
    }
}

/// Whether somebody may ask or decide by it.
pub(super) fn concerns(policy: &Policy, who: &SignedIn) -> bool {
    let mut all = policy.subjects.iter().chain(&policy.approvers);
    all.any(|subject| subject.includes(&who.user))
}

/// The policies that `who` may read and that cover `of`; None: all that they may read.
pub(super) fn visible(
    desk: &Desk,
    who: &SignedIn,
    of: Option<(&CatalogView, &Resource)>,
) -> Vec<PolicyView> {
    let policies = (desk.policies)();
    let covers = |policy: &Policy| {
        of.is_none_or(|(view, resource)| {
            let class = class_of(view, resource);
            let mut patterns = policy.resources.iter();
            patterns.any(|pattern| pattern.covers(&view.database, resource, class))
        })
    };
    let all = policies.0.iter().enumerate();
    let theirs = all.filter(|(_, policy)| who.is_operator() || concerns(policy, who));
    let found = theirs.filter(|(_, policy)| covers(policy));
    found.map(|(index, policy)| PolicyView::new(index, policy)).collect()
}

/// The class of a column; of more than that, there is none.
pub(super) fn class_of<'a>(view: &'a CatalogView, resource: &Resource) -> Option<&'a str> {
    match resource {
        Resource::Column(path) => view.class(path),
        Resource::Table(_) | Resource::Class(_) | Resource::All => None,
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only those that speak of this: `customers.email`, `class:email`.
    resource: Option<String>,
    /// The database of the resource, if more than one knows it.
    database: Option<String>,
}

/// Who may ask for what, and who decides
///
/// Operators read all policies, others those by which they may ask or decide.
#[utoipa::path(
    get,
    path = "/api/v1/policies",
    tag = "policies",
    operation_id = "policies",
    params(Wanted, Paging),
    responses((status = 200, description = "In order of trial", body = Page<PolicyView>)),
)]
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Listed(Wanted { resource, database }, paging): Listed<Wanted>,
) -> Result<Json<Page<PolicyView>>, Problem> {
    let policies = match resource {
        None => visible(&desk, &who, None),
        Some(text) => {
            let (view, resource) =
                lookup::resource(&(desk.databases)(), database.as_deref(), &text)?;
            visible(&desk, &who, Some((&view, &resource)))
        }
    };
    Ok(Json(paging.in_order(policies)))
}
