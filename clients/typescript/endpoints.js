// Written by scripts/generate_typescript.py from the OpenAPI document; `make docs` writes it anew.

export const ENDPOINTS = {
  recommend: {method: "POST", path: "/v1/recommend", named: true},
  page: {method: "POST", path: "/v1/page", named: true},
  similar: {method: "POST", path: "/v1/similar"},
  trending: {method: "GET", path: "/v1/trending"},
  events: {method: "POST", path: "/v1/events", rows: "events"},
  merge: {method: "POST", path: "/v1/users/{id}/merge"},
  putItems: {method: "PUT", path: "/v1/items", rows: "items"},
  changeItems: {method: "PATCH", path: "/v1/items", rows: "items"},
  deleteItems: {method: "DELETE", path: "/v1/items", rows: "item_ids"},
  item: {method: "GET", path: "/v1/items/{id}"},
  putUsers: {method: "PUT", path: "/v1/users", rows: "users"},
  changeUsers: {method: "PATCH", path: "/v1/users", rows: "users"},
  forgetUsers: {method: "DELETE", path: "/v1/users", rows: "user_ids"},
  profile: {method: "GET", path: "/v1/users/{id}/profile"},
  stats: {method: "GET", path: "/v1/stats"},
  live: {method: "GET", path: "/health/live"},
  ready: {method: "GET", path: "/health/ready"},
  metrics: {method: "GET", path: "/metrics", text: true},
  openapi: {method: "GET", path: "/openapi.json"},
};
